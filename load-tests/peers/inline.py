"""Model servers that people put a small model into, beside a Wald that runs it itself.

    inline.py prepare FOLDER           trains a perceptron and a forest on scikit-learn's digits, exports both
    inline.py fastapi FOLDER PORT      FastAPI with ONNX Runtime, a process for each core
    inline.py mlserver FOLDER PORT     MLServer with scikit-learn

FOLDER is of one model for the servers: `model.onnx`, `model.joblib`, and `body.json`, what clients send.
"""

import json
import os
import pathlib
import sys


def prepare(folder):
    import joblib
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    pixels = digits.data.astype(np.float32)
    models = {
        "mlp": MLPClassifier((64, 32), max_iter=300, random_state=1),
        "forest": RandomForestClassifier(100, random_state=1),
    }
    for name, model in models.items():
        model.fit(pixels, digits.target)
        of_model = folder / name
        of_model.mkdir(parents=True)
        options = {id(model): {"zipmap": False}}
        onnx = to_onnx(model, pixels[:1], options=options, target_opset=17)
        (of_model / "model.onnx").write_bytes(onnx.SerializeToString())
        joblib.dump(model, of_model / "model.joblib")
        data = pixels[0].tolist()
        x = {"name": "X", "datatype": "FP32", "shape": [1, 64], "data": data}
        (of_model / "body.json").write_text(json.dumps({"inputs": [x]}))


def app():
    """What a team writes in an afternoon: the Open Inference Protocol's JSON, numpy, ONNX Runtime on one thread."""
    import numpy as np
    import onnxruntime
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = pathlib.Path(os.environ["MODEL"]) / "model.onnx"
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    kinds = {"FP32": np.float32, "INT64": np.int64}
    written = {"float32": "FP32", "int64": "INT64"}
    served = FastAPI()

    @served.post("/v2/models/{name}/infer")
    async def infer(name: str, request: Request):
        asked = await request.json()
        inputs = {
            tensor["name"]: np.array(tensor["data"], kinds[tensor["datatype"]]).reshape(tensor["shape"])
            for tensor in asked["inputs"]
        }
        outputs = [
            {
                "name": output,
                "datatype": written[str(value.dtype)],
                "shape": list(value.shape),
                "data": value.ravel().tolist(),
            }
            for output, value in zip(names, session.run(None, inputs))
        ]
        return JSONResponse({"model_name": name, "outputs": outputs})

    return served


def fastapi(folder, port):
    import uvicorn

    os.environ["MODEL"] = str(folder)
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    uvicorn.run(
        "inline:app",
        factory=True,
        host="127.0.0.1",
        port=port,
        workers=os.cpu_count(),
        log_level="warning",
        access_log=False,
    )


def mlserver(folder, port):
    import socket

    def free():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    of_model = {
        "name": "served",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
    }
    (folder / "model-settings.json").write_text(json.dumps(of_model))
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free(),
        "metrics_port": free(),
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    program = pathlib.Path(sys.executable).parent / "mlserver"
    os.execv(program, [str(program), "start", str(folder)])


if __name__ == "__main__":
    verb, folder, *port = sys.argv[1:]
    {"prepare": prepare, "fastapi": fastapi, "mlserver": mlserver}[verb](
        pathlib.Path(folder), *map(int, port)
    )
