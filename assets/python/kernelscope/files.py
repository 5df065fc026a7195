"""Files that a reader sees complete or not at all, and the safetensors format, written with numpy alone."""

import json
import os

import numpy as np

from .errors import KernelscopeError

# numpy's names of the number types that a safetensors file holds. numpy has no bfloat16: such a tensor comes as `Bfloat16`.
TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


class Bfloat16:
    """Sixteen bits a number, of which numpy knows only that they are sixteen bits."""

    def __init__(self, bits):
        self.bits = bits


def array_of(name, value):
    """A numpy array of a tensor of torch (on any device, of any layout), of an array or of nested lists; a `Bfloat16` of such."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        kind = str(value.dtype)
        if kind == "torch.bfloat16":
            import torch

            return Bfloat16(value.contiguous().view(torch.int16).numpy())
        try:
            value = value.resolve_conj().resolve_neg().numpy()
        except (TypeError, RuntimeError) as why:
            raise KernelscopeError(f"{name} holds {kind}, which Kernelscope does not read; leave it out or convert it") from why
    array = np.asarray(value)
    if array.dtype.name not in TYPES:
        raise KernelscopeError(f"{name} holds {array.dtype}, which Kernelscope does not read; leave it out or convert it")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def write_safetensors(path, tensors, metadata=None):
    """Writes named tensors, in the order given, so that the file is there complete or not at all."""
    arrays = {name: array_of(name, value) for name, value in tensors.items()}
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in arrays.items():
        kind, array = ("BF16", array.bits) if isinstance(array, Bfloat16) else (TYPES[array.dtype.name], array)
        arrays[name] = array
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)

    def write(file):
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(array.reshape(-1).view(np.uint8).data)

    write_whole(path, write)


def write_text(path, text):
    """Writes a text so that the file is there complete or not at all."""
    write_whole(path, lambda file: file.write(text.encode()))


def write_whole(path, write):
    """Calls `write` with a file of a temporary name, brings it to the disk and gives it its name."""
    part = f"{path}.part"
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        try:
            os.remove(part)
        except OSError:
            pass
        raise
    sync_folder(os.path.dirname(path) or ".")


def sync_folder(folder):
    """Brings the names in a folder to the disk, where the system allows a folder to be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
