"""Becomes a Triton server with two models of its Python backend: `iris`, which says 0 or 2 by the third number, and
`words`, which streams the words of a text. Arguments: an empty folder, HTTP port, gRPC port."""

import os
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
http, grpc = sys.argv[2:]
packages = pathlib.Path(next(path for path in sys.path if path.endswith("site-packages")))
triton = packages / "pytriton/tritonserver"
python = f"{sys.version_info.major}.{sys.version_info.minor}"

backends = folder / "backends"
backend = backends / "python"
backend.mkdir(parents=True)
for file in (triton / "backends/python").iterdir():
    (backend / file.name).symlink_to(file)
stub = triton / "python_backend_stubs" / python / "triton_python_backend_stub"
(backend / "triton_python_backend_stub").unlink(missing_ok=True)
(backend / "triton_python_backend_stub").symlink_to(stub)


def model(name, config, code):
    version = folder / "models" / name / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(f'backend: "python"\n{config}')
    # The stub is a Python of its own that knows no virtual environment.
    found = f"import sys\n\nsys.path.append({str(packages)!r})\n"
    (version / "model.py").write_text(found + code)


model(
    "iris",
    """max_batch_size: 0
input [{ name: "x" data_type: TYPE_FP64 dims: [-1, 4] }]
output [{ name: "predict" data_type: TYPE_INT64 dims: [-1, 1] }]
""",
    """
import numpy
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = triton.get_input_tensor_by_name(request, "x").as_numpy()
            predict = numpy.where(x[:, 2:3] < 2.5, 0, 2).astype(numpy.int64)
            answers.append(triton.InferenceResponse([triton.Tensor("predict", predict)]))
        return answers
""",
)
model(
    "words",
    """max_batch_size: 0
model_transaction_policy { decoupled: true }
input [{ name: "text_input" data_type: TYPE_STRING dims: [1] }]
output [{ name: "text_output" data_type: TYPE_STRING dims: [1] }]
""",
    """
import numpy
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            text = triton.get_input_tensor_by_name(request, "text_input").as_numpy()[0]
            for word in text.decode().split():
                output = triton.Tensor("text_output", numpy.array([word.encode()], dtype=object))
                sender.send(triton.InferenceResponse([output]))
            sender.send(flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
""",
)
environment = dict(
    os.environ,
    VIRTUAL_ENV=sys.prefix,
    LD_LIBRARY_PATH=f"{packages}/nvidia_pytriton.libs:{sys.base_prefix}/lib",
)
server = triton / "bin/tritonserver"
os.execve(
    server,
    [
        str(server),
        f"--model-repository={folder}/models",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={http}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc}",
        "--metrics-address=127.0.0.1",
        "--allow-gpu-metrics=false",
        "--allow-metrics=false",
    ],
    environment,
)
