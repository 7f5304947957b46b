"""Model servers that people put a small model into, beside a Wald that runs it itself.

    inline.py prepare FOLDER NAME      trains a perceptron (mlp) or a forest on scikit-learn's digits and exports it,
                                       or unpacks a text encoder (minilm-16, minilm-128: tokens of the text)
    inline.py fastapi FOLDER PORT      FastAPI with ONNX Runtime, a process for each core
    inline.py mlserver FOLDER PORT     MLServer with scikit-learn

FOLDER is of one model for the servers: `model.onnx`, `model.joblib` or `tokenizer.json`, and `body.json`, what clients
send. `prepare` makes it in another folder, by the model's name.
"""

import json
import os
import pathlib
import sys


def prepare(folder, name):
    kind, _, tokens = name.partition("-")
    if kind == "minilm":
        encoder(folder / name, int(tokens))
    else:
        digits(folder / name, kind)


def digits(folder, kind):
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
    model = models[kind]
    model.fit(pixels, digits.target)
    folder.mkdir(parents=True)
    options = {id(model): {"zipmap": False}}
    onnx = to_onnx(model, pixels[:1], options=options, target_opset=17)
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    joblib.dump(model, folder / "model.joblib")
    data = pixels[0].tolist()
    x = {"name": "X", "datatype": "FP32", "shape": [1, 64], "data": data}
    (folder / "body.json").write_text(json.dumps({"inputs": [x]}))


def encoder(folder, tokens):
    from tokenizers import Tokenizer

    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/peers"))
    import texts

    texts.main(folder)
    # Words that are one token each, between the two that the tokenizer adds.
    words = "the model reads a short text and says what it is about in one line".split()
    text = " ".join(words[at % len(words)] for at in range(tokens - 2))
    read = Tokenizer.from_file(str(folder / "tokenizer.json"))
    read.no_padding()
    assert len(read.encode(text).ids) == tokens
    (folder / "body.json").write_text(json.dumps({"model": "served", "input": text}))


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
    tokenizer = pathlib.Path(os.environ["MODEL"]) / "tokenizer.json"
    if tokenizer.exists():
        embed(served, session, tokenizer)

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


def embed(served, session, file):
    """The same for a text encoder: tokens, ONNX Runtime, the mean over tokens at length 1, as OpenAI's clients want it."""
    import numpy as np
    from fastapi import Request
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    inputs = [it.name for it in session.get_inputs()]
    hidden = [it.name for it in session.get_outputs() if it.type == "tensor(float)" and len(it.shape) == 3]

    @served.post("/v1/embeddings")
    async def embeddings(request: Request):
        asked = await request.json()
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        read = tokenizer.encode_batch(texts)
        arrays = {
            "input_ids": np.array([it.ids for it in read], np.int64),
            "attention_mask": np.array([it.attention_mask for it in read], np.int64),
        }
        (vectors,) = session.run(hidden[:1], {name: arrays[name] for name in inputs})
        mask = arrays["attention_mask"][:, :, None].astype(np.float32)
        mean = (vectors * mask).sum(1) / mask.sum(1)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        tokens = int(mask.sum())
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": at, "embedding": it.tolist()} for at, it in enumerate(mean)],
            "model": asked["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }


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
    verb, folder, last = sys.argv[1:]
    folder = pathlib.Path(folder)
    if verb == "prepare":
        prepare(folder, last)
    else:
        {"fastapi": fastapi, "mlserver": mlserver}[verb](folder, int(last))
