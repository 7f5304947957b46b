"""Random ensembles of trees: every mode, aggregate and post-transform, base values, votes for one class or several,
missing values, both precisions; what exporters write and also what they do not."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
# PROBIT is left out: near a half ONNX Runtime's own rounding is beyond the tolerance, and of a score that stands alone it
# leaves the other column to whatever was in memory.
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]
AGGREGATES = ["SUM", "AVERAGE", "MIN", "MAX"]
WIDTH = 5
# Few values, so that rows hit thresholds exactly.
GRID = np.array([-2, -1, -0.5, -0.0, 0, 0.25, 0.5, 1, 1.5, 2], dtype=np.float32)


def rows(rng, dtype, holes):
    values = rng.choice(GRID, (70, WIDTH)).astype(dtype)
    values[rng.random(values.shape) < 0.05] = rng.choice([np.inf, -np.inf])
    if holes:
        values[rng.random(values.shape) < 0.2] = np.nan
    return values


def tree(rng, depth, modes, make):
    """Nested tuples: (mode, feature, value, missing, yes, no), or a leaf that `make` makes."""
    if depth == 0 or rng.random() < 0.2:
        return make()
    below = [tree(rng, depth - 1, modes, make) for _ in range(2)]
    return (str(rng.choice(modes)), int(rng.integers(WIDTH)), float(rng.choice(GRID)), int(rng.random() < 0.5), *below)


def weights(rng, positive, low=-1.0):
    return float(np.float32(rng.uniform(0 if positive else low, 1)))


def tuples(trees, prefix):
    lists = {key: [] for key in "treeids nodeids modes featureids values truenodeids falsenodeids missing_value_tracks_true".split()}
    votes = {key: [] for key in "treeids nodeids ids weights".split()}

    def add(number, counter, top):
        index = counter[0]
        counter[0] += 1
        leaf = isinstance(top, list)
        mode, feature, value, missing, yes, no = ("LEAF", 0, 0.0, 0, None, None) if leaf else top
        at = len(lists["modes"])
        for key, item in zip(lists, (number, index, mode, feature, value, 0, 0, missing)):
            lists[key].append(item)
        if leaf:
            for target, weight in top:
                for key, item in zip(votes, (number, index, target, weight)):
                    votes[key].append(item)
        else:
            lists["truenodeids"][at] = add(number, counter, yes)
            lists["falsenodeids"][at] = add(number, counter, no)
        return index

    for number, top in enumerate(trees):
        add(number, [0], top)
    return {f"nodes_{key}": value for key, value in lists.items()} | {f"{prefix}_{key}": value for key, value in votes.items()}


def model(node, inputs, outputs, version):
    graph = helper.make_graph([node], "g", inputs, outputs)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def floats(name, width, double=False):
    return helper.make_tensor_value_info(name, TensorProto.DOUBLE if double else TensorProto.FLOAT, ["N", width])


def some_modes(rng):
    return MODES if rng.random() < 0.4 else [str(rng.choice(MODES))]


def classifier(rng):
    classes = int(rng.choice([2, 2, 2, 3, 4]))
    positive, low = rng.random() < 0.5, -1.0
    ways = rng.choice(["one", "all", "some", "fixed"])
    only = int(rng.integers(classes))
    trees = []
    for number in range(int(rng.integers(1, 20))):
        fixed = [number % classes]

        def leaf():
            few = sorted(rng.choice(classes, int(rng.integers(1, classes + 1)), replace=False).tolist())
            targets = {"one": [only], "all": range(classes), "some": few, "fixed": fixed}[str(ways)]
            return [(int(target), weights(rng, positive, low)) for target in targets]

        trees.append(tree(rng, int(rng.integers(1, 6)), some_modes(rng), leaf))
    attributes = tuples(trees, "class")
    transform = str(rng.choice(TRANSFORMS))
    base = rng.choice([0, classes])
    if base:
        attributes["base_values"] = [weights(rng, False) for _ in range(base)]
    if rng.random() < 0.5:
        attributes["classlabels_int64s"] = [10 * label + 3 for label in range(classes)]
    else:
        attributes["classlabels_strings"] = [f"c{label}" for label in range(classes)]
    if rng.random() < 0.5:
        del attributes["nodes_missing_value_tracks_true"]
    double = rng.random() < 0.2
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", post_transform=transform, **attributes)
    kind = TensorProto.STRING if "classlabels_strings" in attributes else TensorProto.INT64
    outputs = [helper.make_tensor_value_info("label", kind, ["N"]), floats("scores", classes)]
    holes = rng.random() < 0.5
    return model(node, [floats("x", WIDTH, double)], outputs, 3), {"x": rows(rng, np.float64 if double else np.float32, holes)}


def regressor(rng):
    targets = int(rng.choice([1, 1, 2, 3]))
    positive = rng.random() < 0.5
    trees = []
    for _ in range(int(rng.integers(1, 20))):

        def leaf():
            few = sorted(rng.choice(targets, int(rng.integers(1, targets + 1)), replace=False).tolist())
            return [(int(target), weights(rng, positive)) for target in few]

        trees.append(tree(rng, int(rng.integers(1, 6)), some_modes(rng), leaf))
    attributes = tuples(trees, "target")
    if rng.random() < 0.5:
        attributes["base_values"] = [weights(rng, False) for _ in range(targets)]
    transform, aggregate = str(rng.choice(TRANSFORMS)), str(rng.choice(AGGREGATES))
    double = rng.random() < 0.2
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", post_transform=transform, aggregate_function=aggregate,
        n_targets=targets, **attributes,
    )
    data = rows(rng, np.float64 if double else np.float32, rng.random() < 0.5)
    return model(node, [floats("x", WIDTH, double)], [floats("y", targets)], 3), {"x": data}


def arrays(rng):
    """`TreeEnsemble` of opset 5. ONNX Runtime takes the numbers of SOFTMAX and LOGISTIC for each other: not here."""
    targets = int(rng.choice([1, 2, 3]))
    double = rng.random() < 0.3
    real = np.float64 if double else np.float32
    lists = {key: [] for key in "featureids truenodeids falsenodeids trueleafs falseleafs missing_value_tracks_true".split()}
    modes, splits, sets, votes, roots = [], [], [], [], []

    def add(top):
        at = len(modes)
        mode, feature, value, missing, *ways = top
        member = rng.random() < 0.3
        modes.append(6 if member else MODES.index(mode))
        splits.append(value)
        if member:
            # ONNX Runtime takes sets of integers only, and one and a half for one.
            sets.append((at, rng.choice(np.arange(-2, 3), int(rng.integers(1, 5)), replace=False)))
        for values in lists.values():
            values.append(0)
        lists["featureids"][at], lists["missing_value_tracks_true"][at] = feature, missing
        for way, below in zip(("true", "false"), ways):
            if isinstance(below, list):
                lists[f"{way}leafs"][at], lists[f"{way}nodeids"][at] = 1, len(votes)
                votes.extend(below)
            else:
                lists[f"{way}nodeids"][at] = add(below)
        return at

    for _ in range(int(rng.integers(1, 12))):
        top = []
        while isinstance(top, list):
            top = tree(rng, 4, some_modes(rng), lambda: [(int(rng.integers(targets)), weights(rng, False))])
        roots.append(add(top))
    sets = [item for _, values in sorted(sets, key=lambda pair: pair[0]) for item in (*values, np.nan)]
    named = {f"nodes_{key}": value for key, value in lists.items()}
    if sets:
        named["membership_values"] = numpy_helper.from_array(np.array(sets, real))
    node = helper.make_node(
        "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=targets, tree_roots=roots,
        aggregate_function=int(rng.integers(4)), post_transform=int(rng.choice([0, 0, 3])),
        nodes_modes=numpy_helper.from_array(np.array(modes, np.uint8)),
        nodes_splits=numpy_helper.from_array(np.array(splits, real)),
        leaf_targetids=[target for target, _ in votes],
        leaf_weights=numpy_helper.from_array(np.array([weight for _, weight in votes], real)), **named,
    )
    return model(node, [floats("x", WIDTH, double)], [floats("y", targets, double)], 5), {"x": np.round(rows(rng, real, rng.random() < 0.5))}


def write(case, folder, count):
    for kind in (classifier, regressor, arrays):
        for seed in range(count):
            case(folder, f"random-{kind.__name__}-{seed:03}", *kind(np.random.default_rng(seed)))
