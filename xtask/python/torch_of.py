"""What `cargo xtask setup --torch-of` asks an interpreter: one line of JSON about its torch."""

import json
import os
import sys

import torch

print(
    json.dumps(
        {
            "python": sys.executable,
            "version": str(torch.__version__),
            "folder": os.path.dirname(os.path.abspath(torch.__file__)),
            "cuda": torch.version.cuda,
            "cxx11_abi": torch.compiled_with_cxx11_abi(),
        }
    )
)
