"""Asks models that run inside Wald with tritonclient, which knows nothing of it. Argument: the address, which takes
HTTP/1.1 and gRPC. Over HTTP the path names the model, over gRPC the header `x-model`.
"""

import queue
import sys

import ml_dtypes
import numpy
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

values = {
    "BOOL": numpy.array([[True, False]]),
    "UINT8": numpy.array([[0, 255]], numpy.uint8),
    "UINT16": numpy.array([[1, 65535]], numpy.uint16),
    "UINT32": numpy.array([[1, 2**32 - 1]], numpy.uint32),
    "UINT64": numpy.array([[1, 2**64 - 1]], numpy.uint64),
    "INT8": numpy.array([[1, -128]], numpy.int8),
    "INT16": numpy.array([[1, -(2**15)]], numpy.int16),
    "INT32": numpy.array([[1, -(2**31)]], numpy.int32),
    "INT64": numpy.array([[1, -(2**63)]], numpy.int64),
    "FP16": numpy.array([[0.5, -65504]], numpy.float16),
    "BF16": numpy.array([[1.5, -2]], ml_dtypes.bfloat16),
    "FP32": numpy.array([[0.1, 3e38]], numpy.float32),
    "FP64": numpy.array([[0.1, 1e300]], numpy.float64),
    "BYTES": numpy.array([["cat", "é"]], dtype=object),
}
# JSON has no numbers of 16 bits, says tritonclient.
in_json = [name for name in values if name not in ("FP16", "BF16")]


def given(module, names, **binary):
    inputs = []
    for name in names:
        value = module.InferInput(f"x_{name}", [1, 2], name)
        value.set_data_from_numpy(values[name], **binary)
        inputs.append(value)
    return inputs


def came_back(answer, names):
    for name in names:
        expected = values[name]
        if name == "BYTES":
            expected = numpy.array([[text.encode() for text in expected[0]]], dtype=object)
        found = answer.as_numpy(f"y_{name}")
        assert found is not None, f"{name} is missing"
        # What comes back in JSON as text is no bytes.
        if name == "BYTES" and isinstance(found[0][0], str):
            found = numpy.array([[text.encode() for text in found[0]]], dtype=object)
        assert numpy.array_equal(found, expected), f"{name}: {found} is not {expected}"


def about(module, client, **headers):
    assert client.is_server_live(**headers) and client.is_server_ready(**headers)
    assert client.is_model_ready("echo", **headers) and client.is_model_ready("echo", "7", **headers)
    server = client.get_server_metadata(**headers)
    model = client.get_model_metadata("echo", **headers)
    if module is tritonclient.grpc:
        inputs = {each.name: (each.datatype, list(each.shape)) for each in model.inputs}
        print("about", server.name, list(server.extensions), list(model.versions), inputs["x_BF16"])
    else:
        inputs = {each["name"]: (each["datatype"], each["shape"]) for each in model["inputs"]}
        print("about", server["name"], server["extensions"], model["versions"], inputs["x_BF16"])


def wanted(module, names, **binary):
    return [module.InferRequestedOutput(f"y_{name}", **binary) for name in names]


def refused(client, inputs, outputs=None, model="echo", version="", **headers):
    try:
        client.infer(model, inputs, version, outputs=outputs, **headers)
        print("was not refused")
    except InferenceServerException as error:
        print("refused", error.status(), error.message().split(": ", 2)[2])


def wrong(module, client, **headers):
    """Each kind of tensor that the model of one FP32 does not take."""

    def one(name, shape, datatype, value):
        tensor = module.InferInput(name, shape, datatype)
        tensor.set_data_from_numpy(value)
        return tensor

    good = one("x_FP32", [1, 2], "FP32", values["FP32"])
    refuse = lambda *inputs, **more: refused(client, list(inputs), model="single", **more, **headers)
    refuse(one("x_FP32", [2], "FP32", values["FP32"][0]))
    refuse(one("x_FP32", [1, 3], "FP32", numpy.zeros([1, 3], numpy.float32)))
    refuse(one("x_FP32", [1, 2], "FP64", values["FP64"]))
    refuse(one("x_FP32", [1, 2], "BYTES", values["BYTES"]))
    refuse(one("y_FP32", [1, 2], "FP32", values["FP32"]))
    refuse(good, good)
    refuse(one("x_FP32", [2000, 2], "FP32", numpy.zeros([2000, 2], numpy.float32)))
    refuse(good, outputs=[module.InferRequestedOutput("z")])
    refuse(good, version="8")


def classes(module, client, **headers):
    scores = numpy.array([[0.5, 0.25, 0.75], [3, 2, 1]], numpy.float32)
    given = module.InferInput("x", [2, 3], "FP32")
    given.set_data_from_numpy(scores)
    outputs = [module.InferRequestedOutput("y", class_count=2)]
    best = client.infer("classes", [given], outputs=outputs, **headers).as_numpy("y")
    print("classes", [[text.decode() for text in row] for row in best])


def over_http(address):
    module = tritonclient.http
    client = module.InferenceServerClient(address)
    about(module, client)
    answer = client.infer("echo", given(module, values), request_id="a")
    came_back(answer, values)
    print("binary", answer.get_response()["id"])
    outputs = wanted(module, values, binary_data=True)
    came_back(client.infer("echo", given(module, values), outputs=outputs), values)
    # In JSON, to a model without those of 16 bits.
    outputs = wanted(module, in_json, binary_data=False)
    answer = client.infer("plain", given(module, in_json, binary_data=False), outputs=outputs)
    came_back(answer, in_json)
    answer = client.infer("plain", given(module, in_json, binary_data=False))
    came_back(answer, in_json)
    for algorithm in ("gzip", "deflate"):
        packed = dict(request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
        came_back(client.infer("echo", given(module, values), **packed), values)
    came_back(client.async_infer("echo", given(module, values)).get_result(), values)
    classes(module, client)
    wrong(module, client)
    client.close()


def over_grpc(address):
    module = tritonclient.grpc
    client = module.InferenceServerClient(address)
    echo = {"headers": {"x-model": "echo"}}
    about(module, client, **echo)
    answer = client.infer("echo", given(module, values), request_id="a", **echo)
    came_back(answer, values)
    print("binary", answer.get_response().id)
    outputs = wanted(module, values)
    came_back(client.infer("echo", given(module, values), outputs=outputs, **echo), values)
    for algorithm in ("gzip", "deflate"):
        packed = client.infer("echo", given(module, values), compression_algorithm=algorithm, **echo)
        came_back(packed, values)
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)), **echo)
    for number in range(5):
        client.async_stream_infer("echo", given(module, values), request_id=str(number))
    client.async_stream_infer("echo", given(module, ["FP32"]), request_id="lacking")
    client.async_stream_infer("echo", given(module, values), request_id="after")
    order = []
    for _ in range(7):
        result, error = answers.get(timeout=10)
        if error:
            order.append(error.message()[:30])
        else:
            came_back(result, values)
            order.append(result.get_response().id)
    client.stop_stream()
    print("stream", order)
    classes(module, client, headers={"x-model": "classes"})
    wrong(module, client, headers={"x-model": "single"})
    client.close()


over_http(sys.argv[1])
over_grpc(sys.argv[1])
