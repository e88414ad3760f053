"""What the user typed to files with names: folders, files, patterns such as `docs/**/*.md`."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from prefkit.errors import PrefkitError
from prefkit.generation.sources.patterns import chosen, matches

_MAGIC = frozenset("*?[")


@dataclasses.dataclass(frozen=True)
class Place:
    """A file or a page, and what it is called in records.

    Attributes:
        name: Relative to the folder that holds all sources; the address itself for a page.
        path: Where the file is; None for a page of the web.
    """

    name: str
    path: Path | None = None


def is_url(source: str) -> bool:
    """Whether a source is a page of the web."""
    return source.lower().startswith(("http://", "https://"))


def in_reach(source: str | Path, base: Path | None) -> Path:
    """A relative source in the current folder, else under `base` when it is there."""
    below = (base or Path()) / source
    return below if not Path(source).exists() and below.exists() else Path(source)


def places(
    sources: Sequence[str | Path],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    base: Path | None = None,
) -> list[Place]:
    """Every file that the sources say, once, in order of its name; pages of the web come last.

    Hidden files are passed over, and links to folders are not followed.

    Args:
        sources: Folders, files, patterns and addresses.
        include: Patterns of which a file of a folder has to match one.
        exclude: Patterns of files that do not count.
        base: Where a relative source is looked for when it is not in the current folder.

    Raises:
        PrefkitError: A source does not exist, matches nothing or cannot be listed.
    """
    local = [_located(source, base) for source in sources if not is_url(str(source))]
    root = _common_folder([root for root, _ in local])
    found: dict[Path, str] = {}
    for folder, pattern in local:
        for path in _under(folder, pattern):
            name = _relative(path, root)
            if path == folder or chosen(name, include, exclude):
                found.setdefault(path, name)
    ordered = sorted(found.items(), key=lambda item: item[1].split("/"))
    pages = dict.fromkeys(str(source) for source in sources if is_url(str(source)))
    return [Place(name, path) for path, name in ordered] + [Place(page) for page in pages]


def _located(source: str | Path, base: Path | None) -> tuple[Path, str]:
    """A file or folder, and the pattern of the files under it that are meant, if there is one."""
    for path in (Path(source), (base or Path()) / source):
        if path.exists() or path.is_symlink():
            return path, ""
    parts = Path(source).parts
    magic = next((n for n, part in enumerate(parts) if _MAGIC & set(part)), None)
    if magic is None:
        raise PrefkitError(
            f"{source}: no such file or folder.",
            hint="Name folders or files, such as .md, .html, .pdf or .docx files, "
            "or a pattern such as 'docs/**/*.md' in quotes.",
        )
    above, pattern = Path(*parts[:magic]), "/".join(parts[magic:])
    for folder in (above, (base or Path()) / above):
        if folder.is_dir() and next(_under(folder, pattern), None) is not None:
            return folder, pattern
    raise PrefkitError(f"{source}: matches no file.", hint="`**` stands for any folders between.")


def _common_folder(located: Sequence[Path]) -> Path:
    folders = [(path if path.is_dir() else path.parent).absolute() for path in located]
    return Path(os.path.commonpath(folders)) if folders else Path()


def _relative(path: Path, root: Path) -> str:
    return path.absolute().relative_to(root).as_posix()


def _under(source: Path, pattern: str) -> Iterator[Path]:
    """Files under `source`; with a pattern, only those that it says."""
    if not source.is_dir():
        yield source
        return
    for folder, subfolders, names in os.walk(source, onerror=_cannot_list):
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted((*names, *links)):
            path = Path(folder) / name
            said = path.relative_to(source).as_posix()
            if not name.startswith(".") and (not pattern or matches(f"/{pattern}", said)):
                yield path


def _cannot_list(error: OSError) -> None:
    raise PrefkitError(f"{error.filename}: cannot be listed: {error.strerror}.") from error
