"""The export of torch modules: what the two files hold is run line by line and compared with the module. It needs torch."""

import json
import math
import os
import pathlib
import unittest

import numpy as np

from common import Folder

import kernelscope
from kernelscope import files


def graph_of(folder):
    def no_such(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(pathlib.Path(folder, "graph.json").read_text(encoding="utf-8"), parse_constant=no_such)


def run(torch, folder, sample):
    """What the graph gives for one sample, by the numbers of the weights file and PyTorch's own operations."""
    graph = graph_of(folder)
    weights = files.read_safetensors(os.path.join(folder, "weights.safetensors"))
    types = {str(kind): kind for kind in vars(torch).values() if isinstance(kind, torch.dtype)}
    values = {}

    def value(argument):
        if isinstance(argument, list):
            return [value(item) for item in argument]
        if not isinstance(argument, dict):
            return argument
        if "node" in argument:
            return values[argument["node"]]
        word = argument["other"]
        if word in types:
            return types[word]
        if word in ("cpu", "torch.strided", "torch.contiguous_format"):
            return {"cpu": "cpu", "torch.strided": torch.strided}.get(word, torch.contiguous_format)
        return float(word)

    for line in graph["lines"]:
        name, op = line["name"], line["op"]
        if op in ("parameter", "buffer", "constant"):
            values[name] = torch.tensor(weights[line["target"]])
        elif op == "input":
            values[name] = sample
        elif op == "output":
            return values[line["args"]["input"]["node"]]
        elif op == "getitem":
            values[name] = value(line["args"]["input"])[line["args"]["index"]]
        else:
            space, _, rest = op.partition("::")
            function, _, overload = rest.partition(".")
            call = getattr(getattr(getattr(torch.ops, space), function), overload or "default")
            values[name] = call(**{key: value(argument) for key, argument in line["args"].items()})
        if line["shape"] is not None:
            results = values[name] if isinstance(values[name], (tuple, list)) else [values[name]]
            shapes, kinds = ([line["shape"]], [line["dtype"]]) if line["dtype"] == str(line["dtype"]) else (line["shape"], line["dtype"])
            assert [list(result.shape) for result in results] == shapes, name
            assert [str(result.dtype) for result in results] == [f"torch.{kind}" for kind in kinds], name
    raise AssertionError("the graph has no output")


class Export(Folder):
    def setUp(self):
        super().setUp()
        self.torch = self.needs_torch()
        self.torch.manual_seed(3)

    def module(self, forward, **parts):
        """A module of these parts with this forward."""
        torch = self.torch

        class Mine(torch.nn.Module):
            def __init__(self):
                super().__init__()
                for name, part in parts.items():
                    setattr(self, name, part)

            def forward(self, x):
                return forward(self, x)

        return Mine()

    def export(self, module, example):
        kernelscope.export(module, example, self.folder)
        return graph_of(self.folder)

    def same(self, module, example):
        graph = self.export(module, example)
        with self.torch.no_grad():
            sample = example[:1]
            expected = kernelscope.exporting.unwrapped(module).eval()(sample)
            found = run(self.torch, self.folder, sample)
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
        return graph

    def test_graphs_give_what_modules_give(self):
        nn, torch = self.torch.nn, self.torch
        images = torch.randn(3, 3, 8, 8)
        norm = nn.BatchNorm2d(4)
        norm(torch.randn(5, 4, 6, 6) * 3 + 1)
        self.same(nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3)), images)
        graph = self.same(
            self.module(
                lambda m, x: m.head(torch.relu_(m.norm(m.conv(x))).mean((2, 3))),
                conv=nn.Conv2d(3, 4, 3, stride=2, padding=1),
                norm=norm,
                head=nn.Linear(4, 5),
            ),
            images,
        )
        lines = {line["name"]: line for line in graph["lines"]}
        self.assertEqual(graph["input"], {"name": "x", "shape": [1, 3, 8, 8], "dtype": "float32"})
        self.assertEqual(graph["output"]["shape"], [1, 5])
        self.assertEqual(lines["conv2d"]["args"]["stride"], [2, 2])
        self.assertEqual(lines["conv2d"]["args"]["groups"], 1, "what is left at its default is there, too")
        self.assertEqual((lines["p_norm_weight"]["module"], lines["p_norm_weight"]["target"]), ("BatchNorm2d", "norm.weight"))
        self.assertEqual(lines["b_norm_running_var"]["op"], "buffer")
        tokens = torch.randint(0, 11, (3, 6))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.same(nn.Sequential(nn.Embedding(11, 8), nn.TransformerEncoder(layer, 2), nn.Linear(8, 4)), tokens)
        for kind, more in ((nn.LSTM, {"bidirectional": True, "num_layers": 2}), (nn.GRU, {})):
            width = 14 if more else 7
            self.same(
                self.module(lambda m, x: m.head(m.rnn(x)[0][:, -1]), rnn=kind(5, 7, batch_first=True, **more), head=nn.Linear(width, 3)),
                torch.randn(2, 6, 5),
            )

    def test_constants_in_place_changes_and_numbers_that_are_not_finite(self):
        torch = self.torch
        example = torch.randn(3, 4)
        graph = self.same(
            self.module(
                lambda m, x: m.l(x).mul_(2).masked_fill(torch.tensor([True, False]), -math.inf).relu_() + torch.tensor([1.0, 2.0]),
                l=torch.nn.Linear(4, 2),
            ),
            example,
        )
        lines = {line["op"]: line for line in graph["lines"]}
        self.assertEqual(lines["aten::masked_fill.Scalar"]["args"]["value"], {"other": "-inf"})
        self.assertTrue(lines["constant"]["target"] in files.read_safetensors(os.path.join(self.folder, "weights.safetensors")))

    def test_tied_parameters_have_one_name(self):
        nn, torch = self.torch.nn, self.torch
        module = self.module(lambda m, x: m.out(m.emb(x)), emb=nn.Embedding(5, 4), out=nn.Linear(4, 5, bias=False))
        module.out.weight = module.emb.weight
        graph = self.same(module, torch.randint(0, 5, (2, 3)))
        self.assertEqual(graph["aliases"], {"out.weight": "emb.weight"})
        self.assertEqual([line["target"] for line in graph["lines"] if line["op"] == "parameter"], ["emb.weight"])
        self.assertEqual(list(files.read_safetensors(os.path.join(self.folder, "weights.safetensors"))), ["emb.weight"])

    def test_each_parameter_has_its_law(self):
        nn, torch = self.torch.nn, self.torch

        def laws(module, example):
            graph = self.export(module, example)
            return {line["target"]: line["draw"] for line in graph["lines"] if line["op"] == "parameter"}

        # Of a tensor that two layers share nobody can tell which of them has drawn it.
        tied = self.module(lambda m, x: m.out(m.emb(x)), emb=nn.Embedding(5, 4), out=nn.Linear(4, 5, bias=False))
        tied.out.weight = tied.emb.weight
        self.assertEqual(laws(tied, torch.randint(0, 5, (2, 3))), {"emb.weight": ["unknown", type(tied).__name__]})
        # A wrapper is none of the module's classes.
        plain = nn.Sequential(nn.Linear(4, 16), nn.PReLU(init=0.1), nn.Linear(16, 2, bias=False))
        expected = {"0.weight": ["uniform", 0.5], "0.bias": ["uniform", 0.5], "1.weight": ["constant", 0.1], "2.weight": ["uniform", 0.25]}
        self.assertEqual(laws(nn.DataParallel(plain), torch.randn(3, 4)), expected)
        # Weights behind a parametrisation are others than those that were drawn.
        normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 2, bias=False)))
        self.assertEqual({law[0] for law in laws(normed, torch.randn(3, 4)).values()}, {"unknown"})

        def start(layer):
            nn.init.normal_(layer.weight)

        class Head(nn.Linear):
            pass

        class Drawn(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Linear(4, 4)
                self.body.apply(start)

            def forward(self, x):
                return self.body(x)

        class Quiet(nn.Module):
            def __init__(self):
                super().__init__()
                self.drawn, self.head = Drawn(), Head(4, 4)
                self.head.requires_grad_(False)

            def forward(self, x):
                return self.head(self.drawn(x))

        found = laws(Quiet(), torch.randn(3, 4))
        self.assertEqual(found["drawn.body.weight"], ["unknown", "Drawn"])
        self.assertEqual(found["head.weight"], ["uniform", 0.5])

    def test_wrapped_modules_give_the_same_graph(self):
        nn, torch = self.torch.nn, self.torch
        plain, example = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), torch.randn(3, 4)
        expected = self.export(plain, example)
        inner = nn.Sequential(torch.compile(plain[0]), plain[1], plain[2])
        itself = nn.Sequential(*plain)
        itself.compile()
        for module in (nn.DataParallel(plain), torch.compile(plain), nn.DataParallel(torch.compile(plain)), inner, itself):
            self.assertEqual(self.export(module, (example,)), expected)
        self.assertEqual(type(inner[0]).__name__, "OptimizedModule", "it is as it was")
        self.assertIsNotNone(itself._compiled_call_impl)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            self.assertEqual(self.export(plain, torch.randn(3, 4)), expected)

    def test_the_module_is_as_it_was(self):
        nn, torch = self.torch.nn, self.torch
        module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(), nn.BatchNorm1d(3), nn.Linear(3, 2))
        module[2].eval()
        module[3].weight.requires_grad_(False)
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        chance = torch.get_rng_state()
        graph = self.export(module, torch.randn(5, 4, generator=torch.Generator().manual_seed(0)))
        self.assertEqual([part.training for part in module.modules()], [True, True, True, False, True])
        self.assertTrue(torch.equal(torch.get_rng_state(), chance))
        for name, tensor in module.state_dict().items():
            self.assertTrue(torch.equal(tensor, before[name]))
        trained = {line["target"]: line["trained"] for line in graph["lines"] if line["op"] == "parameter"}
        self.assertEqual([name for name, yes in trained.items() if not yes], ["3.weight"])
        # Where nothing is trained, torch takes a path of one operation, which has no derivative.
        frozen = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).requires_grad_(False)
        self.same(frozen, torch.randn(2, 3, 8))

    def test_number_types_are_kept(self):
        torch = self.torch
        for kind, short in ((torch.float64, "F64"), (torch.float16, "F16"), (torch.bfloat16, "BF16")):
            module = torch.nn.Linear(4, 2).to(kind)
            graph = self.export(module, torch.randn(3, 4).to(kind))
            self.assertEqual(graph["input"]["dtype"], str(kind).removeprefix("torch."))
            self.assertIn(f'"dtype": "{short}"'.encode(), pathlib.Path(self.folder, "weights.safetensors").read_bytes())
            found = files.read_safetensors(os.path.join(self.folder, "weights.safetensors"))
            np.testing.assert_array_equal(found["weight"], module.weight.detach().to(torch.float64).numpy())

    def test_what_cannot_be_exported_is_refused(self):
        nn, torch = self.torch.nn, self.torch
        x = torch.randn(3, 4)

        def refused(words, forward, example=x):
            module = self.module(forward, l=nn.Linear(4, 2)) if callable(forward) and not isinstance(forward, nn.Module) else forward
            self.refused(words, kernelscope.export, module, example, self.folder)
            self.assertFalse(os.path.exists(self.folder), "nothing is written")

        def switched(m, x):
            with torch.no_grad():
                still = m.l(x)
            return m.l(x) + still

        refused("torch.export cannot follow Mine (", lambda m, x: m.l(x) if x.sum() > 0 else -m.l(x))
        refused("torch.export cannot follow Mine (", lambda m, x: m.l(x), torch.randn(3, 5))
        refused("uses aten::item", lambda m, x: m.l(x) * x.sum().item())
        refused("depends on the values of its input", lambda m, x: m.l(x)[x[:, 0] > 0])
        refused("uses torch.no_grad()", switched)
        refused("Mine gives 2 values", lambda m, x: (m.l(x), x))
        refused("gives the shape [1] for one sample", lambda m, x: m.l(x)[:, 0])
        refused("the example is to be one tensor, a batch of inputs, and is ndarray", lambda m, x: m.l(x), x.numpy())
        refused("and is 2 of them", lambda m, x: m.l(x), (x, x))
        refused("at least one sample", lambda m, x: m.l(x), x[:0])
        refused("changes with the samples beside it", nn.TransformerEncoderLayer(8, 2, 16), torch.zeros(5, 2, 8))
        refused("changes with the samples beside it", nn.BatchNorm2d(4, track_running_stats=False), torch.randn(2, 4, 3, 3))
        refused("has no shape yet", nn.LazyLinear(3))
        refused("on the meta device", nn.Linear(4, 2, device="meta"))
        self.refused("takes a torch.nn.Module, and function is none", kernelscope.export, refused, x, self.folder)


if __name__ == "__main__":
    unittest.main()
