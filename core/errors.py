"""What can go wrong, as a tree. Every message says what happened, why, and what to do next.

TailscopeError
  BadInput           something a person gave cannot be used
    UnknownName      a model, image set, strategy, concept or source of that name does not exist
    UnreadableData   a file or folder is not what it claims to be
      TooLarge       reading it would take more memory than is allowed (TAILSCOPE_MEMORY)
      ReadFailed     the disk, the network or the memory failed while it was read; it may be fine
      FileChanged    a picture's file is another one than when its set was opened
    PathRefused      a path outside the folders the server may read
  NotHere            real, but not on this disk
    WeightsMissing   a checkpoint must be fetched first
    ImagesMissing    an image set must be fetched first
    ExtraMissing     an optional package is not installed
  StorageFault       the disk or the memory of this machine refused; what was finished is kept
  DownloadFailed     the hub could not be reached or sent something else than announced
  ExtensionFailed    an extension of another package failed; the rest works without it
  Stopped            a person (or nobody any more) stopped the job
  ReadOnly           this server does not allow changes (TAILSCOPE_ALLOW_JOBS)
"""

from __future__ import annotations


class TailscopeError(Exception):
    """Base of everything Tailscope raises on purpose; ``str(error)`` is fit to show to a person."""


class BadInput(TailscopeError):
    """Something a person gave cannot be used."""


class UnknownName(BadInput):
    """No model, image set, strategy, concept or source has this name."""


class UnreadableData(BadInput):
    """A file or folder is not what it claims to be."""


class TooLarge(UnreadableData):
    """Reading it would take more memory than is allowed; ``TAILSCOPE_MEMORY`` changes that."""


class ReadFailed(UnreadableData):
    """Reading failed for a reason that says nothing about the content: the same file may be read later."""


class FileChanged(UnreadableData):
    """The file of a picture was written after its set was opened: what is in it belongs to another state of the set."""


class PathRefused(BadInput):
    """A path outside the folders that the server was told to serve."""


class NotHere(TailscopeError):
    """Something real that is not on this disk yet."""


class WeightsMissing(NotHere):
    """A checkpoint must be fetched first; the message holds the command."""


class ImagesMissing(NotHere):
    """An image set must be fetched first; the message holds the command."""


class ExtraMissing(NotHere):
    """An optional package is not installed; the message holds the command."""


class StorageFault(TailscopeError):
    """The disk or the memory of this machine refused (full, read-only, locked, away); the message says what to do."""


class DownloadFailed(TailscopeError):
    """The hub could not be reached, or sent something else than it announced."""


class ExtensionFailed(TailscopeError):
    """An extension of another package failed; the message names it."""


class Stopped(TailscopeError):
    """The job was stopped before it finished."""


class ReadOnly(TailscopeError):
    """This server does not allow changes from the browser."""
