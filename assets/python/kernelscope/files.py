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
    if array.dtype.name == "bfloat16":  # of JAX, which brings the type itself
        return Bfloat16(np.ascontiguousarray(array).view(np.int16).reshape(array.shape))
    if array.dtype.name not in TYPES:
        raise KernelscopeError(f"{name} holds {array.dtype}, which Kernelscope does not read; leave it out or convert it")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def length_of(array):
    """How many rows an array has; 0 where it has no axis."""
    shape = (array.bits if isinstance(array, Bfloat16) else array).shape
    return shape[0] if shape else 0


def parts_of(tensors, metadata=None):
    """The parts of a safetensors file in order: its header, then the bytes of each tensor."""
    header, offset, arrays = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    for name, value in tensors.items():
        array = value if isinstance(value, Bfloat16) else array_of(name, value)
        kind, array = ("BF16", array.bits) if isinstance(array, Bfloat16) else (TYPES[array.dtype.name], array)
        arrays.append(array)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for array in arrays:
        yield array.reshape(-1).view(np.uint8).data


def safetensors(tensors):
    """A small file of tensors as bytes."""
    return b"".join(parts_of(tensors))


def write_safetensors(path, tensors, metadata=None):
    """Writes named tensors, in the order given, so that the file is there complete or not at all."""
    parts = parts_of(tensors, metadata)
    # Before the file is begun: what cannot be written is refused here.
    first = next(parts)

    def write(file):
        file.write(first)
        file.writelines(parts)

    write_whole(path, write)


def read_safetensors(path):
    """The tensors of a safetensors file as numpy arrays; bfloat16 comes as float32."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    kinds = {kind: name for name, kind in TYPES.items()}
    tensors = {}
    for name, about in header.items():
        bits = about["dtype"] == "BF16"
        begin, end = about["data_offsets"]
        kind = np.dtype("uint16" if bits else kinds[about["dtype"]]).newbyteorder("<")
        count = (end - begin) // kind.itemsize
        array = np.fromfile(path, kind, count, offset=8 + length + begin).reshape(about["shape"])
        tensors[name] = (array.astype(np.uint32) << 16).view(np.float32) if bits else array
    return tensors


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
