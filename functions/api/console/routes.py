"""The console at /ui: a page, and the scripts and styles that it loads from this service alone."""

from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from functions.api.checked_routes import checked_router
from functions.api.console.files import INDEX, File, console
from infra.settings import ApiSettings, settings

router = checked_router(prefix="/ui", include_in_schema=False)

# No inline script or style, no other origin, and no text that becomes markup: browsers that know trusted types
# refuse `innerHTML` and its like.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_REVALIDATE = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"


@router.get("")
async def get_console(request: Request) -> Response:
    """Serve the page; its addresses are relative, so that they are right under a gateway's stage path too."""
    if request.state.trailing_slash:
        return RedirectResponse("../ui", HTTPStatus.PERMANENT_REDIRECT)
    answer = _answer(console(settings(ApiSettings).auth_mode).files[INDEX], _REVALIDATE)
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


@router.get("/assets/{version}/{folder}/{name}")
async def get_asset_in_folder(version: str, folder: str, name: str) -> Response:
    """Serve one of the page's files that is in a folder."""
    return await get_asset(version, f"{folder}/{name}")


@router.get("/assets/{version}/{name}")
async def get_asset(version: str, name: str) -> Response:
    """Serve one of the page's files; under the address of the present version it may be kept forever.

    Under that of another version too, but not kept: while a new version gets a part of the traffic, the page may come
    from one version and a file from the other.
    """
    known = console(settings(ApiSettings).auth_mode)
    file = known.files.get(name)
    if file is None or name == INDEX:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    caching = _FOREVER if version == known.version else _REVALIDATE
    return _answer(file, caching)


def _answer(file: File, caching: str) -> Response:
    headers = {"Cache-Control": caching, "ETag": f'W/"{file.etag}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)
