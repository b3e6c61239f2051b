"""What routes of exports may ask for."""

from typing import Annotated

from functions.api.dependencies import provided
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue

Exports = Annotated[ExportStore, provided(lambda stores: stores.exports)]
Files = Annotated[ExportFiles, provided(lambda stores: stores.export_files)]
Queue = Annotated[ExportQueue, provided(lambda stores: stores.export_queue)]
