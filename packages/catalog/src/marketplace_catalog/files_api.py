"""`/services/{id}/images`, `/documents` and `/uploads`: what a service is shown with."""

from functools import partial
from typing import Any

from django.http import HttpRequest
from ninja import Status

from marketplace_kit.exceptions import NotFound
from marketplace_kit.pagination import Whole
from marketplace_kit.routing import Router, refuses, takes_upload
from marketplace_kit.schemas import Id
from marketplace_kit.uploads import TooLarge, read_one
from marketplace_kit.users import user_of
from marketplace_media import actions as media
from marketplace_media import schemas as media_schemas
from marketplace_media.exceptions import NotADocument, NotAnImage, TooManyPixels, TooManyUploads, UploadMissing
from marketplace_media.lifecycle import MAX_DOCUMENT_BYTES, MAX_IMAGE_BYTES, FileKind
from marketplace_media.models import File, Upload
from marketplace_media.schemas import File as FileOut

from . import actions, schemas
from .exceptions import NotYourService, TooManyFiles
from .models import ServiceFile
from .scope import visible

router = Router(tags=["Files"])


def shown(file: File) -> File:
    """The file with its place in the list. NotFound where it was deleted meanwhile."""
    item = ServiceFile.objects.filter(file=file.pk).select_related("file").first()
    if item is None:
        raise NotFound
    return item.shown


@router.post("/{service_id}/images", response={201: FileOut})
@refuses(NotYourService, TooManyFiles, NotAnImage, TooManyPixels, TooLarge)
@takes_upload(MAX_IMAGE_BYTES)
def add_image(request: HttpRequest, service_id: Id) -> Status[File]:
    """Add an image to one of your services: JPEG, PNG or WebP. Thumbnails follow within seconds."""
    upload = read_one(request, MAX_IMAGE_BYTES)
    user, service = user_of(request), visible(request, service_id)
    actions.require_room(user, service, FileKind.IMAGE)
    return Status(201, shown(media.store_image(user.pk, upload, partial(actions.add_file, user, service))))


@router.get("/{service_id}/images", auth=None, response=Whole[FileOut])
def list_images(request: HttpRequest, service_id: Id) -> dict[str, Any]:
    """List the images of a service, in order."""
    return {"items": [item.shown for item in visible(request, service_id).shown_images]}


@router.put("/{service_id}/images/order", response=Whole[FileOut])
@refuses(NotYourService)
def order_images(request: HttpRequest, service_id: Id, body: schemas.OrderImages) -> dict[str, Any]:
    """Reorder the images of one of your services. List each of them once."""
    actions.order_images(user_of(request), visible(request, service_id), body.ids)
    return {"items": [item.shown for item in visible(request, service_id).shown_images]}


@router.delete("/{service_id}/images/{file_id}", response={204: None})
@refuses(NotYourService)
def delete_image(request: HttpRequest, service_id: Id, file_id: Id) -> Status[None]:
    """Delete an image of one of your services, and its thumbnails."""
    actions.remove_file(user_of(request), visible(request, service_id), FileKind.IMAGE, file_id)
    return Status(204, None)


@router.post("/{service_id}/documents", response={201: FileOut})
@refuses(NotYourService, TooManyFiles, NotADocument, TooLarge)
@takes_upload(MAX_DOCUMENT_BYTES)
def add_document(request: HttpRequest, service_id: Id) -> Status[File]:
    """Add a document to one of your services: a PDF that is not encrypted and contains no scripts."""
    upload = read_one(request, MAX_DOCUMENT_BYTES)
    user, service = user_of(request), visible(request, service_id)
    actions.require_room(user, service, FileKind.DOCUMENT)
    return Status(201, shown(media.store_document(user.pk, upload, partial(actions.add_file, user, service))))


@router.get("/{service_id}/documents", auth=None, response=Whole[FileOut])
def list_documents(request: HttpRequest, service_id: Id) -> dict[str, Any]:
    """List the documents of a service, oldest first."""
    service = visible(request, service_id)
    return {"items": [item.shown for item in ServiceFile.objects.of(service.pk, FileKind.DOCUMENT)]}


@router.delete("/{service_id}/documents/{file_id}", response={204: None})
@refuses(NotYourService)
def delete_document(request: HttpRequest, service_id: Id, file_id: Id) -> Status[None]:
    """Delete a document of one of your services."""
    actions.remove_file(user_of(request), visible(request, service_id), FileKind.DOCUMENT, file_id)
    return Status(204, None)


@router.post("/{service_id}/uploads", response={201: media_schemas.Upload})
@refuses(NotYourService, TooManyFiles, TooManyUploads, NotAnImage, NotADocument, TooLarge)
def start_upload(request: HttpRequest, service_id: Id, body: media_schemas.StartUpload) -> Status[Upload]:
    """Get a signed form to upload an image or document directly to storage. Complete the upload afterwards."""
    fields = body.model_dump()
    return Status(201, actions.start_upload(user_of(request), visible(request, service_id), fields))


@router.post("/{service_id}/uploads/{upload_id}/complete", response={200: FileOut, 201: FileOut})
@refuses(TooManyFiles, UploadMissing, NotAnImage, NotADocument, TooManyPixels, TooLarge)
def complete_upload(request: HttpRequest, service_id: Id, upload_id: Id) -> Status[File]:
    """Check the uploaded file and add it to the service. Answers 201, or 200 if that was already done.

    A rejected file is deleted; the form can be sent again while it is valid.
    """
    user, service = user_of(request), visible(request, service_id)
    upload = Upload.objects.filter(pk=upload_id, owner=user.pk, target=str(service.pk)).first()
    if upload is None:
        raise NotFound
    file, is_new = media.complete_upload(upload, partial(actions.add_file, user, service))
    return Status(201 if is_new else 200, shown(file))
