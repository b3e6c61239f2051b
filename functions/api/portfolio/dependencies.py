"""What routes of the portfolio may ask for."""

from typing import Annotated

from functions.api.dependencies import provided
from infra.portfolio.event_log import EventLog
from infra.portfolio.queries import PortfolioQueries

Portfolio = Annotated[PortfolioQueries, provided(lambda stores: stores.portfolio_queries)]
Log = Annotated[EventLog, provided(lambda stores: stores.event_log)]
