"""Models as people export them, what ONNX Runtime answers to a whole data set, and what the library itself says.

Argument: a folder. Each case becomes a folder in it: `model.onnx`, and as ONNX tensors `input_*.pb`, `runtime_*.pb`
(ONNX Runtime's outputs) and `own_*.pb` (labels or values, and scores, as scikit-learn and the others compute them).
"""

import pathlib
import sys
import warnings

import ensembles
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

warnings.filterwarnings("ignore")
import lightgbm
import xgboost
from catboost import CatBoostClassifier, CatBoostRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as OtherFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

SEED = 7


def plain(make_attribute):
    """skl2onnx 1.20 gives histogram boosting truth values where onnx takes integers only."""

    def make(key, value, *rest, **more):
        if isinstance(value, list):
            value = [int(item) if isinstance(item, (bool, np.bool_)) else item for item in value]
        return make_attribute(key, value, *rest, **more)

    return make


onnx.helper.make_attribute = plain(onnx.helper.make_attribute)


def single(model):
    """ONNX Runtime on one thread, so that it adds up trees in their order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def tensor(path, name, values):
    values = np.asarray(values)
    if values.dtype.kind in "UO":
        values = values.astype(object)
    path.write_bytes(numpy_helper.from_array(values, name).SerializeToString())


def case(folder, name, model, inputs, own=()):
    """Writes one case; `own` is what the library says of each output."""
    target = folder / name
    target.mkdir(parents=True)
    model = model if isinstance(model, bytes) else model.SerializeToString()
    session = single(model)
    found = session.run(None, inputs)
    (target / "model.onnx").write_bytes(model)
    for index, (key, values) in enumerate(inputs.items()):
        tensor(target / f"input_{index}.pb", key, values)
    for index, (output, values) in enumerate(zip(session.get_outputs(), found)):
        if isinstance(values, list):
            values = np.array([[row[key] for key in row] for row in values], dtype=np.float32)
        tensor(target / f"runtime_{index}.pb", output.name, values)
    for index, values in enumerate(own):
        tensor(target / f"own_{index}.pb", session.get_outputs()[index].name, values)


def float_case(folder, name, estimator, data, options=None, **kwargs):
    """An estimator of scikit-learn with one input of floats."""
    columns, target = data
    columns = columns.astype(np.float32)
    estimator.fit(columns, target)
    model = to_onnx(estimator, columns[:1], options=options, **kwargs)
    if hasattr(estimator, "predict_proba"):
        own = [estimator.predict(columns), estimator.predict_proba(columns)]
    elif hasattr(estimator, "predict"):
        own = [estimator.predict(columns).reshape(-1, 1)]
    else:
        own = [estimator.transform(columns)]
    case(folder, name, model, {model.graph.input[0].name: columns}, own)


def named(data, names):
    columns, target = data
    return columns, np.array(names)[target]


def scikit(folder):
    digits, cancer, iris = (load(return_X_y=True) for load in (load_digits, load_breast_cancer, load_iris))
    wine, diabetes = load_wine(return_X_y=True), load_diabetes(return_X_y=True)
    names = named(iris, ["setosa", "versicolor", "virginica"])
    no_map = {"zipmap": False}

    def classify(name, estimator, data, **options):
        float_case(folder, name, estimator, data, {id(estimator): {**no_map, **options}})

    def regress(name, estimator, data=diabetes):
        float_case(folder, name, estimator, data)

    scaled = (StandardScaler().fit_transform(digits[0]), digits[1])
    classify("logistic", LogisticRegression(max_iter=2000), wine)
    classify("logistic-two-classes", LogisticRegression(max_iter=5000), cancer)
    classify("logistic-names", LogisticRegression(max_iter=2000), names)
    float_case(folder, "logistic-zipmap", LogisticRegression(max_iter=2000), names)
    float_case(folder, "logistic-zipmap-numbers", LogisticRegression(max_iter=2000), iris)
    regress("ridge", Ridge())
    classify("svc", SVC(probability=True, random_state=SEED), iris)
    classify("svc-two-classes", SVC(probability=True, random_state=SEED), cancer)
    even = (StandardScaler().fit_transform(wine[0]), wine[1])
    classify("svc-linear", SVC(kernel="linear", probability=True, random_state=SEED), even)
    regress("svr", SVR())
    regress("svr-poly", SVR(kernel="poly"))
    classify("neighbours", KNeighborsClassifier(), iris)
    classify("perceptron", MLPClassifier(max_iter=60, random_state=SEED), scaled)
    classify("tree", DecisionTreeClassifier(random_state=SEED), digits)
    classify("tree-two-classes", DecisionTreeClassifier(max_depth=3, random_state=SEED), cancer)
    classify("tree-names", DecisionTreeClassifier(max_depth=2, random_state=SEED), names)
    regress("tree-regressor", DecisionTreeRegressor(max_depth=6, random_state=SEED))
    classify("forest-digits", RandomForestClassifier(100, random_state=SEED), digits)
    classify("forest-cancer", RandomForestClassifier(100, random_state=SEED), cancer)
    regress("forest-regressor", RandomForestRegressor(50, random_state=SEED))
    several = (diabetes[0], np.stack([diabetes[1], -diabetes[1]], axis=1))
    columns = several[0].astype(np.float32)
    forest = RandomForestRegressor(10, random_state=SEED).fit(columns, several[1])
    case(folder, "forest-two-targets", to_onnx(forest, columns[:1]), {"X": columns}, [forest.predict(columns)])
    classify("extra-trees", ExtraTreesClassifier(50, random_state=SEED), wine)
    regress("extra-trees-regressor", ExtraTreesRegressor(50, random_state=SEED))
    classify("boosting-digits", GradientBoostingClassifier(n_estimators=100, random_state=SEED), digits)
    classify("boosting-cancer", GradientBoostingClassifier(n_estimators=100, random_state=SEED), cancer)
    classify("boosting-names", GradientBoostingClassifier(n_estimators=20, random_state=SEED), names)
    regress("boosting-regressor", GradientBoostingRegressor(n_estimators=100, random_state=SEED))
    holes = cancer[0].copy()
    holes[np.random.default_rng(SEED).random(holes.shape) < 0.1] = np.nan
    classify("histogram", HistGradientBoostingClassifier(max_iter=50, random_state=SEED), wine)
    classify("histogram-holes", HistGradientBoostingClassifier(max_iter=50, random_state=SEED), (holes, cancer[1]))
    regress("histogram-regressor", HistGradientBoostingRegressor(max_iter=50, random_state=SEED))
    columns = cancer[0].astype(np.float32)
    isolation = IsolationForest(n_estimators=50, random_state=SEED).fit(columns)
    model = to_onnx(isolation, columns[:1], target_opset={"": 18, "ai.onnx.ml": 3})
    own = [isolation.predict(columns).reshape(-1, 1), isolation.decision_function(columns).reshape(-1, 1)]
    case(folder, "isolation-forest", model, {"X": columns}, own)
    classify("scaled-logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), cancer)
    classify("scaled-svc", make_pipeline(StandardScaler(), SVC(probability=True, random_state=SEED)), cancer)
    classify("imputed-logistic", make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), (holes, cancer[1]))
    for transform in (MinMaxScaler(), MaxAbsScaler(), Normalizer("l1"), Normalizer("l2"), Normalizer("max"), Binarizer(threshold=5.0)):
        arguments = getattr(transform, "norm", "")
        float_case(folder, f"{type(transform).__name__}{arguments}".lower(), transform, digits)


def mixed(folder):
    """Columns of several kinds, each an input of its own."""
    rng = np.random.default_rng(SEED)
    import pandas

    count = 300
    table = pandas.DataFrame(
        {
            "age": rng.integers(18, 90, count).astype(np.float32),
            "city": rng.choice(["Bern", "Genf", "Zug"], count),
            "size": rng.normal(size=count).astype(np.float32),
            "grade": rng.integers(1, 5, count),
        }
    )
    target = ((table.age > 50) ^ (table.city == "Bern") ^ (table.grade > 2)).astype(int)

    def prepare(numbers):
        return ColumnTransformer(
            [
                ("numbers", numbers, ["age", "size"]),
                ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
                ("grade", OneHotEncoder(handle_unknown="ignore"), ["grade"]),
            ]
        )

    types = [
        ("age", FloatTensorType([None, 1])),
        ("city", StringTensorType([None, 1])),
        ("size", FloatTensorType([None, 1])),
        ("grade", Int64TensorType([None, 1])),
    ]
    inputs = {name: table[[name]].to_numpy(object if name == "city" else None) for name in table}
    # Scaling in 32 bits would move rows that lie on a threshold to its other side.
    for name, numbers, estimator in [
        ("mixed-logistic", StandardScaler(), LogisticRegression()),
        ("mixed-forest", "passthrough", RandomForestClassifier(20, random_state=SEED)),
    ]:
        pipeline = make_pipeline(prepare(numbers), estimator).fit(table, target)
        model = to_onnx(pipeline, initial_types=types, options={id(estimator): {"zipmap": False}})
        case(folder, name, model, inputs, [pipeline.predict(table), pipeline.predict_proba(table)])


def boosters(folder):
    digits, cancer = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
    diabetes = load_diabetes(return_X_y=True)
    for name, (columns, target) in {"digits": digits, "cancer": cancer}.items():
        columns = columns.astype(np.float32)
        types = [("input", OtherFloats([None, columns.shape[1]]))]
        light = lightgbm.LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1, random_state=SEED).fit(columns, target)
        model = convert_lightgbm(light, initial_types=types, zipmap=False)
        case(folder, f"lightgbm-{name}", model, {"input": columns}, [light.predict(columns), light.predict_proba(columns)])
        extreme = xgboost.XGBClassifier(n_estimators=50, n_jobs=1, random_state=SEED).fit(columns, target)
        model = convert_xgboost(extreme, initial_types=types)
        case(folder, f"xgboost-{name}", model, {"input": columns}, [extreme.predict(columns), extreme.predict_proba(columns)])
        cat = CatBoostClassifier(iterations=50, verbose=False, thread_count=1, random_seed=SEED, allow_writing_files=False)
        cat.fit(columns, target)
        own = [cat.predict(columns).reshape(-1), cat.predict_proba(columns)]
        case(folder, f"catboost-{name}", catboost(cat), {"features": columns}, own)
    columns, target = diabetes
    columns = columns.astype(np.float32)
    types = [("input", OtherFloats([None, columns.shape[1]]))]
    light = lightgbm.LGBMRegressor(n_estimators=100, n_jobs=1, verbose=-1, random_state=SEED).fit(columns, target)
    model = convert_lightgbm(light, initial_types=types)
    case(folder, "lightgbm-regressor", model, {"input": columns}, [light.predict(columns).reshape(-1, 1)])
    extreme = xgboost.XGBRegressor(n_estimators=50, n_jobs=1, random_state=SEED).fit(columns, target)
    model = convert_xgboost(extreme, initial_types=types)
    case(folder, "xgboost-regressor", model, {"input": columns}, [extreme.predict(columns).reshape(-1, 1)])
    cat = CatBoostRegressor(iterations=50, verbose=False, thread_count=1, random_seed=SEED, allow_writing_files=False)
    cat.fit(columns, target)
    case(folder, "catboost-regressor", catboost(cat), {"features": columns}, [cat.predict(columns).reshape(-1, 1)])


def catboost(model):
    """CatBoost writes a file only, and leaves the names of its opset out of older ones."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        return path.read_bytes()


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for part in (scikit, mixed, boosters):
        part(folder)
    ensembles.write(case, folder, 100)
