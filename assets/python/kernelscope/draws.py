"""How PyTorch draws the parameters of a module when it is made, as far as its classes tell.

Each law is a list of a word and of what belongs to it: `["uniform", b]` in ±b, `["normal", d]` of that deviation,
`["constant", c]`, `["like", name]` with the numbers of that parameter, and `["unknown", class]` where a class has a law of its
own, or draws again what its parts have drawn.
"""

import dis
import functools
import inspect
import math
import types

# What a constructor calls that draws again, beside functions that write in place, whose names end in an underscore.
DRAWS_AGAIN = {"apply", "named_apply", "data", "reset_parameters", "_reset_parameters"}
# What ends in an underscore and writes no numbers.
WRITES_NONE = {"requires_grad_", "share_memory_"}


def draws(torch, module):
    """The law of each parameter of a module, by its name."""
    parts = dict(module.named_modules(remove_duplicate=False))
    laws, tensors = {}, {}
    for path, part in parts.items():
        for name, tensor in part._parameters.items():
            if tensor is None:
                continue
            full = f"{path}.{name}" if path else name
            again = drawn_again(torch, parts, path)
            found = ["unknown", again] if again else law(torch, parts, path, name, tensor)
            if found[0] != "unknown":
                found = copied(torch, parts, full) or found
            # One tensor of two parts has the law of one of them, and only where both have the same can it be told which.
            first = tensors.setdefault(id(tensor), full)
            if first != full and found != laws[first]:
                laws[first] = ["unknown", type(module).__name__]
            laws[full] = laws[first] if first != full else found
    return laws


def law(torch, parts, path, name, tensor):
    """The law of a parameter by the class of its part."""
    nn, part = torch.nn, parts[path]
    unknown = ["unknown", type(part).__name__]

    def is_a(*kinds, reset="reset_parameters"):
        """Whether it is of one of these classes, and draws as it does."""
        return any(isinstance(part, kind) and getattr(type(part), reset, None) is getattr(kind, reset, None) for kind in kinds)

    if is_a(nn.MultiheadAttention, reset="_reset_parameters"):
        if name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            return ["uniform", math.sqrt(6 / sum(tensor.shape))]
        if name == "in_proj_bias":
            return ["constant", 0.0]
        if name in ("bias_k", "bias_v"):
            return ["normal", math.sqrt(2 / (tensor.shape[0] + tensor.shape[1]) / tensor.shape[2])]
        return unknown
    if is_a(nn.RNNBase):
        return ["uniform", 1 / math.sqrt(part.hidden_size)] if part.hidden_size else unknown
    if is_a(nn.Embedding):
        return ["normal", 1.0] if name == "weight" and part.padding_idx is None else unknown
    if is_a(nn.PReLU):
        return ["constant", float(part.init)] if name == "weight" and hasattr(part, "init") else unknown
    if name not in ("weight", "bias"):
        return unknown
    if is_a(nn.Linear, nn.modules.conv._ConvNd):
        parent, _, last = path.rpartition(".")
        attention = parts.get(parent)
        if last == "out_proj" and name == "bias" and isinstance(attention, nn.MultiheadAttention):
            return ["constant", 0.0] if type(attention)._reset_parameters is nn.MultiheadAttention._reset_parameters else unknown
        fan_in = math.prod(part.weight.shape[1:])
        return ["uniform", 1 / math.sqrt(fan_in)] if fan_in else unknown
    if is_a(nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase):
        return ["constant", 1.0 if name == "weight" else 0.0]
    return unknown


def copied(torch, parts, full):
    """The law of a parameter that begins as a copy: `nn.TransformerEncoder` copies the layer that it is given."""
    steps = full.split(".")
    for place in range(len(steps) - 2):
        stack = parts[".".join(steps[:place])]
        is_stack = isinstance(stack, (torch.nn.TransformerEncoder, torch.nn.TransformerDecoder))
        if is_stack and steps[place] == "layers" and steps[place + 1] != "0":
            return ["like", ".".join([*steps[: place + 1], "0", *steps[place + 2 :]])]
    return None


def drawn_again(torch, parts, path):
    """The class of a part that holds this one, or is it, and draws its parameters anew; none where there is none."""
    steps = path.split(".") if path else []
    for length in range(len(steps) + 1):
        part = parts[".".join(steps[:length])]
        if isinstance(part, torch.nn.Transformer) or writes(type(part)):
            return type(part).__name__
    return None


@functools.lru_cache(maxsize=None)
def writes(kind):
    """Whether the constructor of a class writes into parameters that are there, as far as its code and what it calls show.

    A class of PyTorch's own does not, but for what `law` knows.
    """
    own = [base for base in kind.__mro__ if base is not object and base.__module__.split(".")[0] != "torch"]
    methods = [vars(base)["__init__"] for base in own if "__init__" in vars(base)]
    seen = set()
    while methods:
        function = inspect.unwrap(methods.pop())
        code = getattr(function, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        names = names_of(code)
        if any(name in DRAWS_AGAIN or "init_weight" in name or "weight_init" in name for name in names):
            return True
        if any(name.endswith("_") and not name.endswith("__") for name in names - WRITES_NONE):
            return True
        # A parameter of a part that is made anew.
        if "Parameter" in names and any(step.opname == "STORE_ATTR" and step.argval in ("weight", "bias") for step in dis.get_instructions(code)):
            return True
        for name in names:
            method = next((vars(base)[name] for base in own if name in vars(base)), None)
            called = method if method is not None else function.__globals__.get(name)
            # Of functions elsewhere only those of the class's own package: others know nothing of it.
            if isinstance(called, types.FunctionType) and called.__module__.split(".")[0] == kind.__module__.split(".")[0]:
                methods.append(called)
    return False


def names_of(code):
    """All names that a piece of code reads or writes, in the functions within it, too."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_of(constant)
    return names
