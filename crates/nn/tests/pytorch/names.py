"""Records the public names of torch.nn and torch.nn.functional, against which tests/table.rs holds the README's tables.

    python names.py > names.txt

A layer is a class of torch.nn that is a Module; a function is what torch.nn.functional offers without an underscore in
front, behind (those work in place) or both, and is not borrowed from elsewhere.
"""

import inspect

import torch
import torch.nn.functional as F
from torch import nn

# What lies in torch.nn.functional without being one of its functions.
BORROWED = {
    "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function",
    "has_torch_function_unary", "has_torch_function_variadic",
}  # fmt: skip


def layers():
    for name, item in vars(nn).items():
        if inspect.isclass(item) and issubclass(item, nn.Module) and item.__module__.startswith("torch.nn.modules"):
            yield name


def functions():
    for name, item in vars(F).items():
        if name.startswith("_") or name.endswith("_") or name in BORROWED or not callable(item):
            continue
        if not inspect.isclass(item) and not inspect.ismodule(item) and name[0].islower():
            yield name


if __name__ == "__main__":
    print(f"# PyTorch {torch.__version__.split('+')[0]}, recorded by names.py")
    for name in sorted(layers()):
        print(f"torch.nn.{name}")
    for name in sorted(functions()):
        print(f"torch.nn.functional.{name}")
