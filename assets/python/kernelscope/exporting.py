"""A torch module as two files that Kernelscope reads: its graph, line by line, and its weights."""

import contextlib
import io
import json
import logging
import math
import operator
import os
import warnings

from . import files
from .draws import draws
from .errors import KernelscopeError
from .version import __version__

FORMAT = 1

# What torch.export calls the lines that come before the operations, and what they are here.
KINDS = {"PARAMETER": "parameter", "BUFFER": "buffer", "CONSTANT_TENSOR": "constant", "USER_INPUT": "input"}

# Operations that hold a part of the forward, and functions that switch something, by the names that people know.
PARTS = {
    "_set_grad_enabled": "torch.no_grad()",
    "wrap_with_set_grad_enabled": "torch.no_grad()",
    "_enter_autocast": "torch.autocast",
    "wrap_with_autocast": "torch.autocast",
    "cond": "torch.cond",
}


def export(module, example, folder):
    """Writes `graph.json` and `weights.safetensors`, from which Kernelscope forms the exact kernel of the module.

    module: any `torch.nn.Module` that maps one batched tensor to one batched tensor of outputs. One that is wrapped by
        `torch.compile` or `DataParallel` is unwrapped first.
    example: a batch of inputs as the module takes them, or a tuple with one; the first sample is used, and only its shape and
        type are kept.
    folder: where the two files go; it is made where it is missing.

    The graph is that of `torch.export` for one sample in evaluation mode: no dropout, batch norm by its running statistics.
    Whether the module and each part of it was in training mode is as before afterwards. What cannot be exported raises
    `KernelscopeError` with one sentence that says the way out.
    """
    import torch

    module = unwrapped(module)
    if not isinstance(module, torch.nn.Module):
        raise KernelscopeError(f"kernelscope.export takes a torch.nn.Module, and {type(module).__name__} is none")
    example = one_tensor(torch, example)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor):
            raise KernelscopeError(f"{name} has no shape yet; call the module once on a batch before you export it")
        if tensor.device.type == "meta":
            raise KernelscopeError(f"{name} is on the meta device and has no numbers; load weights before you export the module")
    with for_export(torch, module):
        graph, tensors = graph_and_tensors(torch, module, traced(torch, module, example))
        check_axis(torch, module, example)
    try:
        text = json.dumps(graph, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as why:
        raise KernelscopeError(f"the graph of {type(module).__name__} holds something that JSON cannot say: {why}") from why
    os.makedirs(folder, exist_ok=True)
    metadata = {"format": "pt", "torch": str(torch.__version__), "kernelscope": __version__}
    files.write_safetensors(os.path.join(folder, "weights.safetensors"), tensors, metadata)
    # Last: a folder with a graph has its weights. A line of the graph is a line of the file, for the eye and for `diff`.
    files.write_text(os.path.join(folder, "graph.json"), text.replace('{"name":', '\n{"name":') + "\n")


def unwrapped(module):
    """The module that `torch.compile`, `DataParallel` or `DistributedDataParallel` wraps, or the module itself."""
    while True:
        kind = type(module).__name__
        if kind == "OptimizedModule":
            module = module._orig_mod
        elif kind in ("DataParallel", "DistributedDataParallel"):
            module = module.module
        else:
            return module


def one_tensor(torch, example):
    """The batch of inputs, refused where it is not one tensor with at least one sample."""
    if isinstance(example, (tuple, list)) and len(example) == 1:
        (example,) = example
    if not isinstance(example, torch.Tensor):
        what = f"{len(example)} of them" if isinstance(example, (tuple, list)) else type(example).__name__
        raise KernelscopeError(
            f"the example is to be one tensor, a batch of inputs, and is {what}; "
            "wrap the module in one whose forward takes a single tensor"
        )
    if example.dim() == 0 or example.shape[0] == 0:
        raise KernelscopeError(f"the example has the shape {list(example.shape)}; give a batch with at least one sample")
    return example


@contextlib.contextmanager
def for_export(torch, module):
    """Puts the module in evaluation mode, without compiled parts, while it is exported, and then back as it was.

    What the caller switched (inference mode, no_grad, autocast) would become part of the graph, and is switched off.
    """
    modes = [(part, part.training) for part in module.modules()]
    compiled = [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent._modules.items()
        if type(child).__name__ == "OptimizedModule"
    ]
    calls = [(part, part._compiled_call_impl) for part in module.modules() if getattr(part, "_compiled_call_impl", None)]
    # The fast path of nn.TransformerEncoder, which is taken where nothing is trained, is one operation without a derivative.
    fast = torch.backends.mha.get_fastpath_enabled()
    device = next((tensor.device.type for tensor in module.parameters()), "cpu")
    try:
        for parent, name, child in compiled:
            parent._modules[name] = child._orig_mod
        for part, _ in calls:
            part._compiled_call_impl = None
        torch.backends.mha.set_fastpath_enabled(False)
        module.eval()
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, call in calls:
            part._compiled_call_impl = call
        for parent, name, child in compiled:
            parent._modules[name] = child
        for part, mode in modes:
            part.training = mode


def traced(torch, module, example):
    """The exported program of one sample, in the operations that the module calls rather than in what they are made of."""
    # At first `export` took layers apart, and the form that keeps them had a name of its own.
    trace = getattr(torch.export, "export_for_training", torch.export.export)
    sample = example[:1].detach().clone(memory_format=torch.contiguous_format)
    # What torch reports of a failure beside the error runs over pages.
    logged = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return trace(module, (sample,), strict=False)
    except Exception as why:
        lines = [line.strip() for line in str(why).splitlines() if line.strip()]
        reason = lines[0].rstrip(".") if lines else type(why).__name__
        raise KernelscopeError(
            f"torch.export cannot follow {type(module).__name__} ({reason}); its forward must take a batch like the example, "
            "stay within torch and not branch on the values of tensors"
        ) from why
    finally:
        logging.disable(logged)


def check_axis(torch, module, example):
    """Refuses a module that gives a sample another output when there is a second sample: its kernel is not one of samples.

    So does one whose first axis is that of tokens (`batch_first=False`), of which nothing in its graph tells. The parameters are
    also moved a little: a branch that is still multiplied by zero shows nothing.
    """
    first = example[:1].detach().clone()
    if first.is_floating_point():
        chance = torch.randn(first.shape, generator=torch.Generator().manual_seed(0))
        second = chance.to(first)
    elif example.shape[0] > 1:
        second = example[1:2]
    else:
        second = first.flip(-1) if first.dim() > 1 else first
    parameters = {name: tensor.detach() for name, tensor in module.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    moved = {
        name: tensor + (0.05 * torch.randn(tensor.shape, generator=generator)).to(tensor)
        for name, tensor in parameters.items()
        if tensor.is_floating_point()
    }
    name = type(module).__name__
    for weights in (parameters, {**parameters, **moved}):
        if not changes_with_others(torch, module, weights, first, second):
            continue
        raise KernelscopeError(
            f"what {name} gives for a sample changes with the samples beside it or by chance; the first axis of the example is "
            "to count samples (batch_first=True), and each output to depend on its own sample alone"
        )


def changes_with_others(torch, module, weights, first, second):
    """Whether the output for one sample is another one when a second sample is beside it."""
    leaf = torch.utils._pytree.tree_leaves

    def outputs(batch):
        return leaf(torch.func.functional_call(module, weights, (batch,)))[0]

    with torch.no_grad(), torch.random.fork_rng(devices=[first.device] if first.device.type == "cuda" else []):
        try:
            alone, both = outputs(first), outputs(torch.cat([first, second]))
        except Exception:
            return False  # written for one sample, which is all that the graph holds
    if not isinstance(alone, torch.Tensor) or alone.dim() != both.dim() or alone.dim() == 0 or both.shape[0] != 2:
        return True
    narrow = alone.dtype in (torch.float16, torch.bfloat16)
    alone, both = alone.double(), both[:1].double()
    if alone.shape != both.shape or not bool(alone.isfinite().all()):
        return alone.shape != both.shape
    return not bool(((alone - both).abs() <= (0.05 if narrow else 1e-3) * alone.abs().max() + 1e-6).all())


def graph_and_tensors(torch, module, program):
    """What `graph.json` holds, and the tensors of `weights.safetensors`."""
    name = type(module).__name__
    owners = dict(module.named_modules(remove_duplicate=False))
    parameters = dict(module.named_parameters(remove_duplicate=False))
    placeholders = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    held = {**program.state_dict, **program.constants}
    tied, laws = aliases(module), draws(torch, module)
    # Of tied tensors torch uses one or another. Here one line holds them, under the first of their names.
    kept, same = {}, {}
    lines, tensors, given, output = [], {}, None, None
    for node in program.graph.nodes:
        shape, kind = shape_and_type(torch, name, node)
        line = {"name": node.name, "op": None, "shape": shape, "dtype": kind}
        if node.op == "placeholder":
            spec = placeholders[node.name]
            target = tied.get(spec.target, spec.target)
            if target in kept:
                same[node.name] = kept[target]
                continue
            line["op"] = KINDS.get(spec.kind.name)
            if line["op"] is None:
                raise KernelscopeError(f"{name} holds {spec.target or node.name}, which is no tensor; export a module without it")
            if line["op"] == "input":
                given = {"name": node.name, "shape": shape, "dtype": kind}
            else:
                line["target"] = target
                kept[target], tensors[target] = node.name, held[spec.target]
            if line["op"] in ("parameter", "buffer"):
                line["module"] = owner_of(owners, target)
            if line["op"] == "parameter":
                line["trained"] = bool(parameters[target].requires_grad)
                line["draw"] = laws[target]
        elif node.op == "call_function":
            if shape is None and node.users:
                raise no_operation(name, node)
            line["op"], line["args"] = operation(torch, name, node, same)
            writes = written(node)
            if writes:
                line["writes"] = writes
        elif node.op == "output":
            output = the_output(torch, name, node)
            kind = output.pop("dtype")
            line |= {"op": "output", "shape": output["shape"], "dtype": kind, "args": {"input": {"node": output["node"]}}}
        else:
            raise no_operation(name, next(iter(node.users), node))
        lines.append(line)
    graph = {
        "format": FORMAT,
        "torch": str(torch.__version__),
        "kernelscope": __version__,
        "module": name,
        "input": given,
        "output": output,
        "aliases": {dropped: kept for dropped, kept in tied.items() if kept in tensors},
        "lines": lines,
    }
    return graph, tensors


def shape_and_type(torch, name, node):
    """The shape and number type of what a line gives; lists of them where it gives several tensors, nulls where it gives none."""
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        return shape_of(name, node, value), short(value.dtype)
    if isinstance(value, (tuple, list)) and all(isinstance(item, torch.Tensor) for item in value):
        return [shape_of(name, node, item) for item in value], [short(item.dtype) for item in value]
    return None, None


def shape_of(name, node, value):
    for size in value.shape:
        if not isinstance(size, int):
            raise KernelscopeError(
                f"the shape of {node.name} in {name} depends on the values of its input; export the part of the module "
                "whose shapes do not"
            )
    return list(value.shape)


def short(dtype):
    return str(dtype).removeprefix("torch.")


def owner_of(owners, target):
    """The class of the module to which a tensor belongs; empty for the exported module itself."""
    path = target.rpartition(".")[0]
    return type(owners[path]).__name__ if path and path in owners else ""


def operation(torch, name, node, same):
    """The name of an operation and all its arguments by name, those left at their default included."""
    if node.target is operator.getitem:
        value, index = node.args
        return "getitem", {"input": plain(torch, value, same), "index": plain(torch, index, same)}
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        raise no_operation(name, node)
    places = [argument.name for argument in schema.arguments if not argument.kwarg_only]
    given = {**dict(zip(places, node.args)), **node.kwargs}
    arguments = {}
    for argument in schema.arguments:
        value = given.get(argument.name, argument.default_value)
        if argument.N and isinstance(value, (bool, int, float)):
            value = [value] * argument.N  # `stride=1` of an `int[2]`
        arguments[argument.name] = plain(torch, value, same)
    return node.target.name(), arguments


def written(node):
    """The arguments that an operation writes into, where its name does not say that it changes its first one."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return []
    changed = [argument.name for argument in schema.arguments if argument.alias_info is not None and argument.alias_info.is_write]
    plain = schema.name.rpartition("::")[2]
    is_first = changed == [schema.arguments[0].name] if schema.arguments else False
    return [] if is_first and plain.endswith("_") and not plain.endswith("__") else changed


def no_operation(name, node):
    """The refusal of a line that is not one operation on tensors."""
    what = node.target.name() if hasattr(node.target, "_schema") else getattr(node.target, "__name__", str(node.target))
    what = PARTS.get(what, what)
    return KernelscopeError(f"the forward of {name} uses {what} (line {node.name}), of which the graph cannot be read; export it without")


def plain(torch, value, same):
    """An argument as JSON holds it."""
    if isinstance(value, torch.fx.Node):
        return {"node": same.get(value.name, value.name)}
    if isinstance(value, (list, tuple)):
        return [plain(torch, item, same) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"other": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"other": str(value)}  # a type of numbers, a device, a memory layout


def the_output(torch, name, node):
    """The one tensor that the module gives, with its shape."""
    values = torch.utils._pytree.tree_leaves(node.args)
    if len(values) != 1:
        raise KernelscopeError(f"{name} gives {len(values)} values; wrap it in a module whose forward gives its outputs alone")
    (value,) = values
    tensor = value.meta.get("val") if isinstance(value, torch.fx.Node) else None
    if not isinstance(tensor, torch.Tensor):
        raise KernelscopeError(f"{name} does not give a tensor; wrap it in a module whose forward gives its outputs alone")
    shape = shape_of(name, value, tensor)
    if len(shape) < 2 or shape[0] != 1:
        raise KernelscopeError(
            f"{name} gives the shape {shape} for one sample; wrap it in a module that gives [samples, outputs], "
            "as [1, 10] for one sample of ten classes"
        )
    return {"node": value.name, "shape": shape, "dtype": short(tensor.dtype)}


def aliases(module):
    """The names of tied tensors, each with the first name of the same tensor."""
    firsts, tied = {}, {}
    for target, tensor in [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]:
        if firsts.setdefault(id(tensor), target) != target:
            tied[target] = firsts[id(tensor)]
    return tied
