"""The files of exports in S3: written part by part in constant memory, read whole or by a signed URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from infra.telemetry import logger
from infra.write_outcomes import DEPENDENCY_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

CONTENT_TYPE = "text/csv; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson; charset=utf-8"
PART_BYTES = 8 * 1024 * 1024
"""S3 requires at least 5 MiB, except for the last part, and allows 10,000 parts."""
URL_SECONDS = 300


class FileGoneError(Exception):
    """The file does not exist any more."""

    def __init__(self) -> None:
        super().__init__("The file of this export has expired. Ask for a new one.")


class Written(NamedTuple):
    """Facts about a finished file."""

    size_bytes: int
    record_count: int
    sha256: str


class ExportFiles:
    """The files of one bucket."""

    def __init__(self, client: "S3Client", bucket: str, part_bytes: int = PART_BYTES) -> None:
        self.client = client
        self.bucket = bucket
        self.part_bytes = part_bytes

    @contextmanager
    def create(self, key: str) -> "Iterator[Upload]":
        """Start a file that appears when it is finished; after an error nothing of it remains."""
        answer = self.client.create_multipart_upload(
            Bucket=self.bucket, Key=key, ContentType=content_type_of(key)
        )
        upload = Upload(self, key, answer["UploadId"])
        try:
            yield upload
        except BaseException:
            upload.discard()
            raise

    def clear(self, folder: str) -> None:
        """Delete all files and unfinished uploads below `folder`, which is that of a job and has few."""
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=folder)
        for upload in uploads.get("Uploads", []):
            self.client.abort_multipart_upload(
                Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        for file in self.client.list_objects_v2(Bucket=self.bucket, Prefix=folder).get("Contents", []):
            self.delete(file["Key"])

    def delete(self, key: str) -> None:
        """Delete a file, if it exists."""
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def read(self, key: str) -> bytes:
        """Read a whole file.

        Raises:
            FileGoneError: it does not exist any more.
        """
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise FileGoneError from error

    def require(self, key: str) -> None:
        """Check that a file exists: it may have been deleted from the bucket before it expires.

        Raises:
            FileGoneError: it does not exist any more.
        """
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            raise FileGoneError from error

    def url(self, key: str, filename: str) -> str:
        """Return a signed URL with which anyone can read a file for five minutes."""
        return self.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                "ResponseContentType": content_type_of(filename),
                "ResponseContentDisposition": attachment(filename),
            },
            ExpiresIn=URL_SECONDS,
        )


class Upload:
    """A file that is being written; at most one part of it is in memory."""

    def __init__(self, files: ExportFiles, key: str, upload_id: str) -> None:
        self._files = files
        self._place = {"Bucket": files.bucket, "Key": key, "UploadId": upload_id}
        self._parts: list[CompletedPartTypeDef] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._size = 0
        self._lines = 0
        self._digest = sha256()

    def write(self, lines: bytes) -> None:
        """Append to the file."""
        self._pending.append(lines)
        self._pending_bytes += len(lines)
        self._lines += lines.count(b"\n")
        if self._pending_bytes >= self._files.part_bytes:
            self._send_part()

    def finish(self, header_lines: int = 1) -> Written:
        """Finish the file, so that it appears; the lines of its header do not count as records."""
        if self._pending or not self._parts:
            self._send_part()
        self._files.client.complete_multipart_upload(
            **self._place,  # type: ignore[arg-type]
            MultipartUpload={"Parts": self._parts},
        )
        return Written(self._size, self._lines - header_lines, self._digest.hexdigest())

    def _send_part(self) -> None:
        part = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._size += len(part)
        self._digest.update(part)
        number = len(self._parts) + 1
        answer = self._files.client.upload_part(**self._place, PartNumber=number, Body=part)  # type: ignore[arg-type]
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def discard(self) -> None:
        """Delete what was written, also if the file has appeared and only the response was lost.

        A failure is only logged: the error that led here is raised anyway, and the next attempt and the
        bucket's lifecycle delete the rest.
        """
        try:
            self._files.client.abort_multipart_upload(**self._place)  # type: ignore[arg-type]
        except DEPENDENCY_ERRORS:
            logger.info("Nothing to abort", key=self._place["Key"])
        try:
            self._files.delete(self._place["Key"])
        except DEPENDENCY_ERRORS:
            logger.warning("Not deleted", key=self._place["Key"])


def content_type_of(name: str) -> str:
    """Return the media type of a file by its name."""
    return NDJSON_TYPE if name.endswith(".ndjson") else CONTENT_TYPE


def attachment(filename: str) -> str:
    """Return the Content-Disposition of a download; the file name needs no escaping."""
    return f'attachment; filename="{filename}"'
