"""Which files of a folder are pictures of which class, and what else is there."""

import os
from dataclasses import dataclass, field

from .._images.unreadable import UnreadableError, printable

# What operating systems leave among pictures; names that begin with a dot are passed over too.
_METADATA = ("thumbs.db", "desktop.ini", "__macosx")

_PARTS = ("train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing")
_PICTURE_ENDINGS = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm"),
    *(".tga", ".tif", ".tiff", ".webp"),
)

_BESIDE = UnreadableError(
    "it is next to the class folders, so it has no class", "Move it into the folder of its class."
)
_NO_PICTURE = UnreadableError("it is next to the class folders, and is not a picture", "Leave it.")
_LINK = UnreadableError(
    "it is a link to a folder, whose pictures could be read twice or endlessly",
    "Put the folder itself there, or links to files.",
)
_SUBFOLDER = UnreadableError(
    "it is a folder within a class, and recursive is False", "Pass recursive=True to read it."
)
_NO_PICTURES = UnreadableError(
    "this class folder holds no pictures", "Add some, or remove it: each folder is a class."
)


@dataclass
class FolderLayout:
    """What lies in a folder of class folders.

    Parameters
    ----------
    classes : dict of str to list of str
        Paths of the files of each class; sorted, like the classes.
    faults : list of (str, UnreadableError)
        Paths that cannot be a picture of a class.
    ignored : list of (str, UnreadableError)
        The same for tables, texts and the like next to the class folders, which are not faults.
    """

    classes: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    ignored: list = field(default_factory=list)


def read_layout(root, recursive):
    """Return the `FolderLayout` of the folder `root`.

    Parameters
    ----------
    root : str
    recursive : bool
        Whether folders below those of the classes belong to these.

    Raises
    ------
    ValueError
        If there are no class folders, or if they are something else: the parts of a split, or
        a single folder with all others inside it.
    OSError
        If the folder may not be read.
    """
    layout = FolderLayout()
    folders = []
    for entry in _visible(root):
        if _is_folder(entry, layout.faults):
            folders.append(entry)
        elif not entry.is_dir():
            _sort_in(entry, layout)
    _check_are_classes(root, folders, layout)
    for folder in folders:
        files = sorted(_files_below(folder.path, recursive, layout.faults))
        if files:
            layout.classes[folder.name] = files
        else:
            layout.faults.append((folder.path, _NO_PICTURES))
    return layout


def _visible(folder):
    with os.scandir(folder) as entries:
        return sorted(
            (
                entry
                for entry in entries
                if not entry.name.startswith(".") and entry.name.lower() not in _METADATA
            ),
            key=lambda entry: entry.name,
        )


def _is_folder(entry, faults):
    """Whether an entry is a real folder; a link to one is a fault."""
    if entry.is_dir() and entry.is_symlink():
        faults.append((entry.path, _LINK))
        return False
    return entry.is_dir()


def _sort_in(entry, layout):
    if entry.name.lower().endswith(_PICTURE_ENDINGS):
        layout.faults.append((entry.path, _BESIDE))
    else:
        layout.ignored.append((entry.path, _NO_PICTURE))


def _files_below(folder, recursive, faults):
    """Yield the paths of all files below `folder`; links to folders are not followed."""
    waiting = [folder]
    while waiting:
        folder = waiting.pop()
        try:
            entries = _visible(folder)
        except OSError as error:
            faults.append((folder, _closed_folder(error)))
            continue
        for entry in entries:
            if _is_folder(entry, faults):
                if recursive:
                    waiting.append(entry.path)
                else:
                    faults.append((entry.path, _SUBFOLDER))
            elif not entry.is_dir():
                yield entry.path


def _closed_folder(error):
    return UnreadableError(
        f"this folder cannot be read ({error.strerror})", "Change its permissions, or remove it."
    )


def _check_are_classes(root, folders, layout):
    """Raise if the folders are not classes; their names tell what they are instead."""
    name = printable(root)
    if not folders:
        raise ValueError(f"{name} holds no class folders. {_advice_without_folders(layout)}")
    parts = [folder.name for folder in folders if folder.name.lower() in _PARTS]
    if len(parts) == len(folders) or len(parts) > 1:
        parts.sort(key=lambda part: _PARTS.index(part.lower()))
        advised = printable(os.path.join(root, parts[0]))
        raise ValueError(
            f"{name} holds {', '.join(parts)}: parts of a split, not classes. Load each "
            f'separately, for example load_image_folder("{advised}").'
        )
    if len(folders) == 1 and _holds_folders_alone(folders[0].path):
        raise ValueError(
            f"{name} holds a single folder, with all others inside it, so that there is only "
            f"one class. Pass the folder that holds the class folders: "
            f'load_image_folder("{printable(folders[0].path)}").'
        )


def _holds_folders_alone(folder):
    entries = _visible(folder)
    return len(entries) > 1 and all(entry.is_dir() for entry in entries)


def _advice_without_folders(layout):
    linked = any(fault is _LINK for _, fault in layout.faults)
    if linked:
        return "Links to folders are not followed: put the folders themselves there."
    if layout.faults:
        return (
            "Put the pictures of each class into a folder of its own, as in cat/tom.jpg. For "
            "pictures without classes, or with classes from a table, use ImageFiles(paths, "
            "image_size=...)."
        )
    return "The layout is class_name/picture.jpg."
