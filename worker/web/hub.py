"""Models from a hub: the few files that are needed of a repository, at one commit, fetched once.

The client is the library huggingface_hub, which the extra ``hub`` brings. It reads its own variables: HF_ENDPOINT for
a mirror, HF_TOKEN for repositories that are not public, HF_HUB_OFFLINE to forbid the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from worker.errors import Unusable

#: What is needed beside the model itself.
FILES = ("config.json", "tokenizer.json")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
#: Where repositories keep ONNX files: at the top, or in a folder of this name.
_MODEL = re.compile(r"(?:onnx/)?[^/]+\.onnx")
#: How the exporters of the hub name models with weights of 8 bits, and those made for one kind of processor.
_EIGHT_BITS = re.compile(r"quantized|q?u?int8")
_ONE_PROCESSOR = re.compile(r"arm64|avx512|vnni")
_PLAIN = re.compile(r"(?:onnx/)?model\.onnx")
#: A protobuf message, and so a model in one file, is smaller than 2 GiB (https://protobuf.dev/programming-guides/
#: proto-limits/).
_LARGEST = 2**31


def choose(sizes: Mapping[str, int]) -> str:
    """Return which of these files, given with their sizes in bytes, is the model to take.

    Weights of 8 bits come before others, among them those for every processor; then the plain ``model.onnx``; among
    equals the smallest, and the first by name.

    Raises:
        Unusable: there is no model in one ONNX file.
    """
    models = [name for name in sizes if _MODEL.fullmatch(name)]
    if not models:
        raise Unusable(
            "there is no .onnx file at the top or under onnx/; take a repository that has one, or export the model "
            "with: optimum-cli export onnx --task text-classification, and name the directory"
        )
    whole = [name for name in models if sizes[name] < _LARGEST and not _elsewhere(name, sizes)]
    if not whole:
        raise Unusable(
            f"{', '.join(models)}: a model with weights in a second file (.onnx_data), or of 2 GiB, is not supported; "
            "take a repository with a quantised model, or save the model as one file, and name the directory"
        )
    return min(whole, key=lambda name: (_rank(name), sizes[name], name))


def _elsewhere(name: str, sizes: Mapping[str, int]) -> bool:
    return any(other.startswith((f"{name}_data", f"{name}.data")) for other in sizes)


def _rank(name: str) -> int:
    if _EIGHT_BITS.search(name):
        return 1 if _ONE_PROCESSOR.search(name) else 0
    return 2 if _PLAIN.fullmatch(name) else 3


def needed(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Return which of these files make up a model, the largest last.

    Raises:
        Unusable: one is missing; the text says which.
    """
    if missing := [name for name in FILES if name not in sizes]:
        raise Unusable(f"{' and '.join(missing)}: missing; take a repository that has both {' and '.join(FILES)}")
    return (*FILES, choose(sizes))


def sizes_in(folder: Path) -> Mapping[str, int]:
    """Return the files of a directory and of its folder ``onnx``, with their sizes in bytes.

    There are none where there is no directory.

    Raises:
        OSError: the directory cannot be read.
    """
    files = [path for at in (folder, folder / "onnx") if at.is_dir() for path in sorted(at.iterdir())]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files if path.is_file()}


def fetch(owner_name: str, revision: str, *, into: Path) -> Path:
    """Return the directory with the files of a model, having fetched them unless they are there.

    What is there is not asked about again: neither the network nor the library is needed for it.

    Args:
        owner_name: The repository, as in ``owner/name``.
        revision: A commit, 40 hexadecimal digits; the files of a branch could change from one start to the next.
        into: Holds a directory ``owner--name/revision`` for each model.

    Raises:
        Unusable: the files cannot be had; the text says why, and what to do.
    """
    revision, what = revision.lower(), f"hub:{owner_name}@{revision}"
    if not _REPOSITORY.fullmatch(owner_name):
        raise Unusable(f"{what}: expected the name of a repository, OWNER/NAME")
    if not _COMMIT.fullmatch(revision):
        raise Unusable(
            f"{what}: the revision must be a commit, all 40 hexadecimal digits: the files of a branch or a tag could "
            "change from one start to the next"
        )
    folder = into / owner_name.replace("/", "--") / revision
    try:
        there = _complete(sizes_in(folder))
    except OSError as error:
        raise Unusable(f"{what}: {folder} cannot be read ({error.strerror}); mend its permissions") from error
    if not there:
        _download(owner_name, revision, folder, what)
    return folder


def _complete(sizes: Mapping[str, int]) -> bool:
    """Return whether a model is there: a file gets its name once it is whole, and the model comes last."""
    try:
        needed(sizes)
    except Unusable:
        return False
    return True


def _download(owner_name: str, revision: str, folder: Path, what: str) -> None:
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415 - an extra, and dear to import
    except ImportError as error:
        raise Unusable(
            f'{what}: the library that fetches it is not installed; run: pip install "wirewatch[hub]", or copy '
            f"{', '.join(FILES)} and the .onnx file to {folder}"
        ) from error
    api = HfApi(library_name="wirewatch")
    try:
        info = api.model_info(owner_name, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        for name in needed(sizes):
            api.hf_hub_download(owner_name, name, revision=revision, local_dir=folder)
    except Unusable as error:
        raise Unusable(f"{what}: {error}") from error
    except Exception as error:  # the library passes on errors of its HTTP client, which is another in each version
        raise Unusable(f"{what}: {_why(error, folder)}") from error


def _why(error: Exception, folder: Path) -> str:
    from huggingface_hub import errors  # noqa: PLC0415 - an extra, and dear to import

    by_hand = f"or copy {', '.join(FILES)} and the .onnx file to {folder}"
    match error:
        case errors.OfflineModeIsEnabled():
            return f"is not here, and HF_HUB_OFFLINE forbids the network; unset it for one start, {by_hand}"
        case errors.GatedRepoError():
            return "its owner asks for consent; give it on the repository's page, and set HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return "there is no such repository, or it is not public; mend the name, or set HF_TOKEN"
        case errors.RevisionNotFoundError():
            return "the repository has no such commit; take one from the history of its files"
        case _:
            said = next(iter(str(error).splitlines()), "")
            return f"could not be fetched ({type(error).__name__}: {said}); try again, {by_hand}"
