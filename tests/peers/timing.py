"""The median time of one run of ONNX Runtime on one thread: `case rows microseconds` on each line.

Arguments: the folder that models.py wrote, and cases in it.
"""

import pathlib
import sys
import time

import numpy as np
import onnx
from onnx import numpy_helper

from models import single

BATCHES = [1, 8, 32]
SECONDS = 0.4

folder = pathlib.Path(sys.argv[1])
for case in sys.argv[2:]:
    session = single(str(folder / case / "model.onnx"))
    proto = onnx.load_tensor(str(folder / case / "input_0.pb"))
    values = numpy_helper.to_array(proto)
    for batch in BATCHES:
        parts = [{proto.name: np.ascontiguousarray(values[at : at + batch])} for at in range(0, len(values) - batch + 1, batch)]
        times, start, turn = [], time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            part = parts[turn % len(parts)]
            turn += 1
            before = time.perf_counter()
            session.run(None, part)
            after = time.perf_counter()
            if after - start > SECONDS / 10:
                times.append(after - before)
        print(case, batch, f"{np.median(times) * 1e6:.2f}")
