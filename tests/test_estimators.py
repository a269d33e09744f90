"""The scikit-learn estimators: its own checks, and that each is what the library trains."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from stacked import (
    LBFGS,
    SGD,
    Adam,
    Denoising,
    FeedforwardClassifier,
    FeedforwardRegressor,
    Masking,
    Plain,
    StackedAutoencoder,
    StackedError,
    StackedWarning,
    TrainingConfig,
    save,
)
from stacked.estimators import PretrainedClassifier, PretrainedRegressor, StackedAutoencoderTransformer
from stacked.estimators.labels import classes_and_numbers

X, Y = load_breast_cancer(return_X_y=True)
FRAME = load_breast_cancer(as_frame=True).data
NAMES = list(FRAME.columns)
TEXT = "denoising:8:mask=0.3, plain:5"
LAYERS = [Denoising(8, corruption=Masking(0.3)), Plain(5)]
BRIEF = {"layers": TEXT, "epochs": 2, "random_state": 0}
CONFIG = TrainingConfig(epochs=2, batch_size=32)
ESTIMATORS = {
    "transformer": StackedAutoencoderTransformer(**BRIEF),
    "classifier": PretrainedClassifier(**BRIEF, finetune_epochs=2),
    "regressor": PretrainedRegressor(**BRIEF, finetune_epochs=2),
}


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    """Each estimator in turn, not fitted."""
    return clone(ESTIMATORS[request.param])


@pytest.fixture
def drawing_globally():
    """For what draws from NumPy's global generator, as scikit-learn itself does."""
    before = np.random.get_state()
    yield
    np.random.set_state(before)


def results(model, x=X):
    """All that a fitted estimator makes of rows, as bytes."""
    methods = [name for name in ("transform", "predict", "predict_proba") if hasattr(model, name)]
    return [np.asarray(getattr(model, name)(x)).tobytes() for name in methods]


def pretrained(x=X, **changes):
    """What the library trains with the same settings."""
    return StackedAutoencoder(LAYERS, **{"training": CONFIG, "seed": 0, "scaling": "min_max"} | changes).fit(x)


def weights(stack):
    return [tensor.numpy().tobytes() for layer in stack.layers for tensor in layer.state_dict().values()]


@parametrize_with_checks(
    [StackedAutoencoderTransformer(), PretrainedClassifier(), PretrainedRegressor()], legacy=True
)
def test_the_checks_of_scikit_learn(estimator, check, drawing_globally, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without which one of them would be skipped
    check(estimator)


# What they are


def test_the_transformer_is_the_stack_of_the_same_seed():
    transformer = StackedAutoencoderTransformer(**BRIEF)
    codes = transformer.fit_transform(X)
    assert np.array_equal(codes, transformer.stack_.encode(X))
    assert np.array_equal(codes, pretrained().encode(X))
    back = transformer.inverse_transform(codes)
    assert np.array_equal(back, transformer.stack_.decode(codes))
    assert back == pytest.approx(transformer.stack_.reconstruct(X), rel=1e-5)
    assert (transformer.n_features_in_, codes.shape) == (30, (569, 5))


def test_settings_of_layers_do_what_text_does():
    as_text = StackedAutoencoderTransformer(**BRIEF)
    as_settings = StackedAutoencoderTransformer(**BRIEF | {"layers": LAYERS, "optimizer": Adam()})
    assert results(clone(as_settings).fit(X)) == results(as_text.fit(X))


def test_every_kind_of_layer_is_fitted_and_sent(settings, tmp_path):
    x = X[:60] / X.max(axis=0)
    model = StackedAutoencoderTransformer([settings], epochs=1, random_state=0).fit(x)
    assert np.array_equal(model.transform(x), model.stack_.encode(x))
    assert results(pickle.loads(pickle.dumps(model)), x) == results(model, x)


@pytest.mark.parametrize(
    ("parameters", "training"),
    [
        ({}, TrainingConfig(epochs=30, batch_size=32)),
        ({"batch_size": 10_000}, TrainingConfig(epochs=30, batch_size=40)),
        ({"batch_size": None, "optimizer": "lbfgs"}, TrainingConfig(epochs=30, batch_size=None, optimizer=LBFGS())),
        ({"optimizer": "sgd"}, TrainingConfig(epochs=30, batch_size=32, optimizer=SGD())),
        ({"learning_rate": 0.01}, TrainingConfig(epochs=30, batch_size=32, optimizer=Adam(0.01))),
        (
            {"optimizer": SGD(0.1, momentum=0.5), "learning_rate": 0.01},
            TrainingConfig(epochs=30, batch_size=32, optimizer=SGD(0.01, momentum=0.5)),
        ),
        (
            {"epochs": 3, "validation_fraction": 0.25, "patience": 2},
            TrainingConfig(epochs=3, batch_size=30, validation_fraction=0.25, patience=2),
        ),
    ],
)
def test_parameters_are_the_settings_of_the_training(parameters, training):
    model = StackedAutoencoderTransformer("plain:3", random_state=0, **parameters).fit(X[:40])
    assert model.stack_.training == (training,)


def test_seeds_are_those_of_scikit_learn(drawing_globally):
    codes = [results(StackedAutoencoderTransformer(**BRIEF).set_params(random_state=seed).fit(X)) for seed in (0, 1)]
    assert codes[0] != codes[1]
    model = StackedAutoencoderTransformer(**BRIEF | {"random_state": np.random.RandomState(5)})
    drawn = [results(model.fit(X)), results(model.fit(X))]
    assert drawn[0] != drawn[1]
    np.random.seed(5)
    model = StackedAutoencoderTransformer(**BRIEF | {"random_state": None})
    assert [results(model.fit(X)), results(model.fit(X))] == drawn


# Rows without labels


def test_the_classifier_is_the_one_that_the_library_fine_tunes():
    y = np.where(np.arange(len(Y)) % 3, -1, Y + 4)
    model = PretrainedClassifier(**BRIEF, finetune_epochs=3, dropout=0.1, weight_decay=0.01).fit(X, y)
    assert weights(model.stack_) == weights(pretrained())
    labels = np.where(y == -1, np.nan, Y)
    expected = FeedforwardClassifier.from_stack(pretrained(), 2, dropout=0.1, weight_decay=0.01)
    expected.fit(X, labels, TrainingConfig(epochs=3, batch_size=32))
    assert np.array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert np.array_equal(model.predict(X), expected.predict(X) + 4)
    assert model.classes_.tolist() == [4, 5]
    assert (model.classifier_.provenance.n_labelled, model.classifier_.provenance.classes) == (190, ("4", "5"))


def test_the_regressor_is_the_one_that_the_library_fine_tunes():
    targets = X[:, :2] * [1, 1000]
    targets[::3, 1] = np.nan
    model = PretrainedRegressor(**BRIEF, finetune_epochs=3, finetune_learning_rate=0.01).fit(X, targets)
    assert weights(model.stack_) == weights(pretrained())
    expected = FeedforwardRegressor.from_stack(pretrained(), 2)
    expected.fit(X, targets, TrainingConfig(epochs=3, batch_size=32, optimizer=Adam(0.01)))
    assert np.array_equal(model.predict(X), expected.predict(X))
    assert model.predict(X).shape == targets.shape


def test_unlabelled_rows_change_pretraining_and_nothing_else():
    x, y = X / X.max(axis=0), np.where(np.arange(len(Y)) % 3, -1, Y)
    model = PretrainedClassifier(**BRIEF, finetune_epochs=2, scaling="none")
    few, many = clone(model).fit(x[::3], Y[::3]), clone(model).fit(x, y)
    assert weights(few.stack_) != weights(many.stack_)
    model.set_params(epochs=0)
    few, many = clone(model).fit(x[::3], Y[::3]), clone(model).fit(x, y)
    assert results(few, x) == results(many, x)


def test_labels_may_be_text_beside_the_number():
    names = np.array(["malignant", "benign"])[Y]
    some = names.astype(object)
    some[::2] = -1
    model = PretrainedClassifier(**BRIEF, finetune_epochs=2)
    for y in (some, some.tolist(), pandas.Series(some)):
        fitted = clone(model).fit(X, y)
        assert fitted.classes_.tolist() == ["benign", "malignant"]
        assert set(fitted.predict(X)) <= set(names)
    assert clone(model).fit(X, names).classes_.tolist() == ["benign", "malignant"]


@pytest.mark.parametrize(
    ("y", "classes", "numbers"),
    [
        ([3, -1, 5, 3], [3, 5], [0, np.nan, 1, 0]),
        ([3.0, -1.0, 5.0], [3, 5], [0, np.nan, 1]),
        ([1, -1, 0], [0, 1], [1, np.nan, 0]),
        (["-1", "1"], ["-1", "1"], [0, 1]),
        ([True, False], [False, True], [1, 0]),
    ],
)
def test_minus_one_is_no_class_unless_beside_one_alone(y, classes, numbers):
    found, of_rows = classes_and_numbers(np.array(y))
    assert found.tolist() == classes
    assert np.array_equal(of_rows, numbers, equal_nan=True)


def test_minus_one_and_one_are_two_classes_and_that_is_told():
    with pytest.warns(StackedWarning, match="y: -1 and 1 are taken for two classes, for there is no other; name"):
        found, of_rows = classes_and_numbers(np.array([1, -1, 1]))
    assert (found.tolist(), of_rows.tolist()) == ([-1, 1], [1, 0, 1])


@pytest.mark.parametrize("y", [[0, -1, 0], [2, 2, 2]])
def test_one_class_is_not_enough(y):
    expected = (
        f"^y: expected labels of at least two classes, received one class, .*{y[0]}.*; add rows of another class$"
    )
    with pytest.raises(StackedError, match=expected):
        PretrainedClassifier().fit(X[:3], y)


def test_nothing_to_learn_from_is_refused_before_any_work():
    with pytest.raises(StackedError, match=r"^y: expected labelled rows, received 569 without a label; pass"):
        PretrainedClassifier().fit(X, np.full(569, -1))
    with pytest.raises(StackedError, match=r"^y: expected rows with targets, received 569 without; pass"):
        PretrainedRegressor().fit(X, np.full((569, 2), np.nan))


def test_labels_too_few_for_a_validation_are_told_before_any_work():
    model = PretrainedRegressor(epochs=10**9, validation_fraction=0.1, random_state=0)
    expected = "^validation_fraction: expected a share that leaves rows on both sides, received 0.1 of 4 rows; "
    with pytest.raises(StackedError, match=expected):
        model.fit(X, np.where(np.arange(len(X)) < 4, X[:, 0], np.nan))


def test_without_epochs_the_layers_are_as_they_are_drawn():
    model = PretrainedClassifier(**BRIEF | {"epochs": 0}, finetune_epochs=2, freeze=True).fit(X, Y)
    drawn = StackedAutoencoder(LAYERS, seed=0).draw(30)
    assert weights(model.stack_) == weights(drawn)
    assert np.array_equal(model.classifier_.hidden(X), model.stack_.encode(X))
    assert model.stack_.encode(X) == pytest.approx(drawn.encode(MinMaxScaler().fit_transform(X)), rel=1e-5)


# What is around them


def test_a_grid_asks_in_a_pipeline_which_corruption_is_best():
    model = PretrainedClassifier(epochs=2, finetune_epochs=5, learning_rate=0.01, random_state=0)
    pipeline = Pipeline([("scale", MinMaxScaler()), ("net", model)])
    layers = [f"denoising:16:mask={share}" for share in (0, 0.2, 0.4)]
    search = GridSearchCV(pipeline, {"net__layers": layers, "net__epochs": [0, 2]}, cv=2).fit(X, Y)
    assert search.best_params_["net__layers"] in layers
    assert search.best_estimator_.score(X, Y) > 0.9
    few = {"net__layers": layers[:2]}
    one, two = (GridSearchCV(pipeline, few, cv=2, n_jobs=jobs).fit(X, Y) for jobs in (1, 2))
    assert two.cv_results_["mean_test_score"] == pytest.approx(one.cv_results_["mean_test_score"], abs=0.01)


def test_cross_validation_in_a_pipeline():
    model = PretrainedRegressor(epochs=3, finetune_epochs=20, learning_rate=0.01, random_state=0)
    assert min(cross_val_score(make_pipeline(MinMaxScaler(), model), X, X[:, 2] * 1e4, cv=3)) > 0.8
    codes = StackedAutoencoderTransformer(epochs=3, random_state=0)
    assert min(cross_val_score(make_pipeline(codes, model), X, X[:, 2], cv=3)) > 0.5


def test_pickle_and_joblib_keep_every_bit(estimator, tmp_path):
    model = estimator.fit(X, Y)
    joblib.dump(model, tmp_path / "model")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),
    ]
    for copy in copies:
        assert results(copy) == results(model)
        assert results(copy.fit(X, Y)) == results(model)
    before = results(model)
    assert results(pickle.loads(pickle.dumps(model.fit(X[:99], Y[:99])))) == results(model) != before


def test_a_second_fit_begins_with_nothing(estimator):
    expected = results(clone(estimator).fit(X, Y))
    estimator.fit(X[:50, :7], Y[:50])
    assert results(estimator.fit(X, Y)) == expected
    again = clone(estimator)
    assert again.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        results(again)


def test_a_fit_that_fails_leaves_what_was_fitted(estimator):
    before = results(estimator.fit(X, Y))
    with pytest.raises(StackedError, match=r"^learning_rate"):
        estimator.set_params(learning_rate=-1).fit(X, Y)
    assert results(estimator) == before


@pytest.mark.parametrize("frame", [FRAME, polars.DataFrame(FRAME.to_dict("list"))], ids=["pandas", "polars"])
def test_frames_are_taken_as_the_arrays_they_hold(estimator, frame):
    model = estimator.fit(frame, Y)
    assert results(model, frame) == results(clone(estimator).fit(X, Y))
    assert model.feature_names_in_.tolist() == list(model.stack_.provenance.columns) == NAMES
    with pytest.raises(ValueError, match="feature names"):
        results(model, frame[NAMES[::-1]])


@pytest.mark.parametrize("library", [pandas, polars])
def test_codes_come_as_a_frame_where_one_is_asked_for(library):
    model = StackedAutoencoderTransformer(**BRIEF).set_output(transform=library.__name__).fit(FRAME)
    codes = model.transform(FRAME)
    assert isinstance(codes, library.DataFrame)
    assert list(codes.columns) == [f"stackedautoencodertransformer{number}" for number in range(5)]
    assert list(codes.columns) == model.get_feature_names_out().tolist()
    assert np.array_equal(codes.to_numpy(), model.stack_.encode(X))
    assert np.array_equal(model.inverse_transform(codes), model.stack_.decode(codes.to_numpy()))


def test_what_is_no_table_of_finite_numbers_is_refused(estimator):
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        estimator.fit(scipy.sparse.csr_array(X), Y)
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.where(X > 100, np.nan, X), Y)
    with pytest.raises(TypeError, match="sample_weight"):
        estimator.fit(X, Y, sample_weight=np.ones(len(X)))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("dropout", 2), ("freeze", "yes"), ("optimizer", "adagrad"), ("optimizer", 3), ("layers", "denoising"),
     ("patience", 2), ("batch_size", 0), ("device", "abacus"), ("dtype", "int8"), ("scaling", "log")],
)  # fmt: skip
def test_bad_parameters_are_named_before_any_work(parameter, value):
    model = PretrainedClassifier(epochs=10**9, random_state=0, **{parameter: value})
    with pytest.raises(StackedError, match=parameter if parameter != "layers" else "layer 1, 'denoising': units"):
        model.fit(X, Y)


def test_a_saved_model_needs_no_scikit_learn(tmp_path):
    model = PretrainedClassifier(**BRIEF, finetune_epochs=2).fit(FRAME, Y)
    save(model.classifier_, tmp_path / "model")
    np.save(tmp_path / "rows.npy", X)
    code = """
import sys, numpy, stacked
model = stacked.load_classifier(sys.argv[1] + "/model")
numpy.save(sys.argv[1] + "/predicted.npy", model.predict(numpy.load(sys.argv[1] + "/rows.npy")))
assert "sklearn" not in sys.modules and model.provenance.columns[0] == "mean radius"
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert np.array_equal(np.load(tmp_path / "predicted.npy"), model.predict(FRAME))
