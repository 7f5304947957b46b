"""Asks an Open Inference Protocol server with tritonclient. Arguments: address over HTTP, address over gRPC, and
`binary` if tensors over HTTP are to be binary.
"""

import sys

import numpy
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

iris = numpy.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])


def ask(module, address, **binary):
    client = module.InferenceServerClient(address)
    assert client.is_server_ready() and client.is_model_ready("iris")
    assert client.get_model_metadata("iris")
    given = module.InferInput("x", list(iris.shape), "FP64")
    given.set_data_from_numpy(iris, **binary)
    wanted = [module.InferRequestedOutput("predict", **binary)]
    answer = client.infer("iris", [given], outputs=wanted)
    print(module.__name__, answer.as_numpy("predict").ravel().tolist())
    wrong = module.InferInput("x", [1, 2], "FP64")
    wrong.set_data_from_numpy(iris[:1, :2], **binary)
    try:
        client.infer("iris", [wrong])
    except InferenceServerException as error:
        print(module.__name__, "refuses", error.status())
    try:
        client.infer("unknown", [given])
    except InferenceServerException as error:
        print(module.__name__, "refuses", error.status())


ask(tritonclient.http, sys.argv[1], binary_data="binary" in sys.argv)
ask(tritonclient.grpc, sys.argv[2])
