"""Linear models against scikit-learn's own answers and closed formulas."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from artdet.errors import TrainingError
from artdet.tasks import Task
from artdet.training.classification.linear import STRENGTHS, fit_linear

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still_life"))
PAIR = Task(name="pair", kind="label", classes=("no", "yes"))
MATERIALS = Task(name="materials", kind="labels", classes=("oil", "paper"))
YEAR = Task(name="year", kind="number", mean=1800.0, deviation=50.0)
LABEL_CASES = [pytest.param(GENRE, id="three classes"), pytest.param(PAIR, id="two classes")]


def clouds(classes, count, seed, *, spread=1.5):
    """Overlapping clouds with features of very different size, one of them without any information."""
    rng = np.random.default_rng(seed)
    answers = np.arange(count) % classes
    middles = np.random.default_rng(99).normal(size=(classes, 6))
    features = (middles[answers] + spread * rng.normal(size=(count, 6))) * [1, 100, 0.01, 1, 5, 1] + 7
    return np.column_stack([features, np.full(count, 3.0)]).astype(np.float32), answers


def softmax(raw):
    raw = np.exp(raw - raw.max(axis=1, keepdims=True))
    return raw / raw.sum(axis=1, keepdims=True)


def log_loss(raw, answers):
    return -np.log(softmax(raw)[np.arange(len(answers)), answers]).mean()


@pytest.mark.parametrize("task", LABEL_CASES)
def test_logistic_is_scikit_learns_own(task):
    train, held = clouds(task.outputs, 120, 0), clouds(task.outputs, 50, 1)
    fitted = fit_linear(train[0], task, train[1], "logistic", validation=held)
    losses = []
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(*train)
        losses.append(-np.log(model.predict_proba(held[0])[np.arange(50), held[1]]).mean())
        if strength == fitted.strengths[0]:
            np.testing.assert_allclose(softmax(fitted.raw(held[0])), model.predict_proba(held[0]), atol=2e-3)
    assert fitted.strengths == (STRENGTHS[int(np.argmin(losses))],)
    assert fitted.weight.shape == (task.outputs, 7)
    assert fitted.weight.dtype == fitted.bias.dtype == np.float32
    assert fitted.settled


@pytest.mark.parametrize("task", LABEL_CASES)
def test_margins_become_logits(task):
    train, held = clouds(task.outputs, 120, 0), clouds(task.outputs, 80, 1)
    fitted = fit_linear(train[0], task, train[1], "svm", validation=held)
    model = make_pipeline(StandardScaler(), LinearSVC(C=fitted.strengths[0], random_state=0)).fit(*train)
    np.testing.assert_array_equal(fitted.raw(held[0]).argmax(axis=1), model.predict(held[0]))
    least = log_loss(fitted.raw(held[0]), held[1])
    assert least < np.log(task.outputs) * 0.9
    for factor in (0.8, 1.25):
        assert log_loss(factor * fitted.raw(held[0]), held[1]) > least


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_without_validation_all_are_fitted_on(estimator):
    train = clouds(3, 150, 0)
    fitted = fit_linear(train[0], GENRE, train[1], estimator)
    again = fit_linear(train[0], GENRE, train[1], estimator, validation=(train[0][:0], train[1][:0]))
    np.testing.assert_array_equal(fitted.weight, again.weight)
    model = {"logistic": LogisticRegression(C=fitted.strengths[0], max_iter=2000)}.get(
        estimator, LinearSVC(C=fitted.strengths[0], random_state=0)
    )
    expected = make_pipeline(StandardScaler(), model).fit(*train).predict(train[0])
    assert (fitted.raw(train[0]).argmax(axis=1) == expected).mean() > 0.99


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_images_without_an_answer_count_for_nothing(estimator):
    features, answers = clouds(3, 90, 0)
    more = np.concatenate([features, np.full((5, 7), 1e6, dtype=np.float32)])
    with_unknown = fit_linear(more, GENRE, np.append(answers, [-1] * 5), estimator)
    np.testing.assert_array_equal(with_unknown.weight, fit_linear(features, GENRE, answers, estimator).weight)


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_several_labels(estimator):
    features, first = clouds(2, 300, 0)
    second = (features[:, 4] > 8).astype(int)
    targets = np.column_stack([first, second]).astype(np.float32)
    targets[:4] = np.nan
    held = features[200:], targets[200:]
    fitted = fit_linear(features[:200], MATERIALS, targets[:200], estimator, validation=held)
    assert fitted.weight.shape == (2, 7)
    assert len(fitted.strengths) == 2
    chances = 1 / (1 + np.exp(-fitted.raw(held[0])))
    assert ((chances > 0.5) == held[1]).mean(axis=0).min() > 0.75
    # What is said with so much certainty on average is right as often.
    np.testing.assert_allclose(chances.mean(axis=0), held[1].mean(axis=0), atol=0.1)


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_several_labels_with_none_held_out_of_a_class(estimator):
    features, first = clouds(2, 60, 0)
    targets = np.column_stack([first, first]).astype(np.float32)
    fitted = fit_linear(features, MATERIALS, targets, estimator, validation=(features[:9], targets[:9] * 0))
    assert np.isfinite(fitted.weight).all()


def test_number_is_ridge_regression():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 4)).astype(np.float32) * [1, 20, 3, 1]
    years = (1790 + features @ [10, 2, 0, 5] + rng.normal(size=80)).astype(np.float32)
    years[7] = np.nan
    known = np.isfinite(years)
    fitted = fit_linear(features[:60], YEAR, years[:60], "svm", validation=(features[60:], years[60:]))
    inputs, answers = features[:60][known[:60]], (years[:60][known[:60]] - 1800) / 50
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scaled = (inputs - mean) / scale
    penalty = np.eye(4) / fitted.strengths[0]
    weight = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (answers - answers.mean()))
    expected = (features - mean) / scale @ weight + answers.mean()
    np.testing.assert_allclose(fitted.raw(features.astype(np.float32))[:, 0], expected, atol=1e-4)
    assert np.abs(fitted.raw(features.astype(np.float32))[60:, 0] * 50 + 1800 - years[60:]).mean() < 2


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_balanced_weights_find_the_rare(estimator):
    rng = np.random.default_rng(0)
    answers = (np.arange(400) % 20 == 0).astype(np.int64)
    features = (rng.normal(size=(400, 3)) + 1.2 * answers[:, None]).astype(np.float32)
    found = {
        weights: (
            fit_linear(features, PAIR, answers, estimator, class_weights=weights).raw(features).argmax(1)[answers == 1]
        ).mean()
        for weights in ("none", "balanced")
    }
    assert found["balanced"] > found["none"] + 0.2


@pytest.mark.parametrize("estimator", ["logistic", "svm"])
def test_one_image_of_each_class(estimator):
    features = np.eye(3, 5, dtype=np.float32)
    fitted = fit_linear(features, GENRE, np.arange(3), estimator)
    np.testing.assert_array_equal(fitted.raw(features).argmax(axis=1), [0, 1, 2])


@pytest.mark.parametrize(
    ("task", "targets", "message"),
    [
        pytest.param(GENRE, np.array([-1, -1, -1]), "No training image has an answer to 'genre'", id="none known"),
        pytest.param(YEAR, np.full(3, np.nan, dtype=np.float32), "No training image has an answer", id="no year"),
        pytest.param(GENRE, np.array([0, 2, -1]), "class 'landscape' of 'genre' has no training", id="class lacks"),
        pytest.param(PAIR, np.array([0, 0, -1]), "Every training image of 'pair' is 'no'", id="one class only"),
        pytest.param(
            MATERIALS,
            np.array([[1, 0], [0, 0], [1, 0]], dtype=np.float32),
            "class 'paper' of 'materials' has no training",
            id="label lacks",
        ),
        pytest.param(
            MATERIALS,
            np.array([[1, 0], [1, 1], [1, 0]], dtype=np.float32),
            "Every training image of 'materials' is 'oil'",
            id="label everywhere",
        ),
    ],
)
def test_not_enough_to_learn_from(task, targets, message):
    with pytest.raises(TrainingError, match=message):
        fit_linear(np.eye(3, 4, dtype=np.float32), task, targets, "logistic")


def test_features_that_are_no_numbers():
    with pytest.raises(TrainingError, match="no numbers"):
        fit_linear(np.full((2, 3), np.nan, dtype=np.float32), PAIR, np.array([0, 1]), "svm")
