"""A folder that MLServer serves: a classifier of scikit-learn's irises. Arguments: folder, HTTP, gRPC and metrics port."""

import json
import pathlib
import sys

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

folder = pathlib.Path(sys.argv[1])
http, grpc, metrics = map(int, sys.argv[2:])
irises = load_iris()
model = LogisticRegression(max_iter=1000).fit(irises.data, irises.target)
joblib.dump(model, folder / "iris.joblib")
model_settings = {
    "name": "iris",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./iris.joblib", "version": "1"},
}
(folder / "model-settings.json").write_text(json.dumps(model_settings))
settings = {
    "host": "127.0.0.1",
    "http_port": http,
    "grpc_port": grpc,
    "metrics_port": metrics,
    # Its parallel workers are processes of their own that would outlive it.
    "parallel_workers": 0,
}
(folder / "settings.json").write_text(json.dumps(settings))
