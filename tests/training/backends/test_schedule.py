import pytest

from artdet.training.backends.schedule import learning_rate_share


@pytest.mark.parametrize(
    ("step", "warmup", "total", "expected"),
    [
        (0, 0, 0, 1.0),
        (0, 0, 10, 1.0),
        (5, 0, 10, 0.55),
        (10, 0, 10, 0.1),
        (99, 0, 10, 0.1),
        (0, 3, 10, 0.25),
        (2, 3, 10, 0.75),
        (3, 3, 10, 1.0),
        (0, 1.5, 10, 0.4),
        (1, 1.5, 10, 0.8),
        (0, 20, 10, 1 / 21),
    ],
    ids=["no steps", "first", "middle", "end", "past it", "rise", "rising", "top", "half a step", "below", "all rise"],
)
def test_the_plan(step, warmup, total, expected):
    assert learning_rate_share(step, warmup=warmup, total=total, final_share=0.1) == pytest.approx(expected)


def test_it_rises_and_then_falls():
    shares = [learning_rate_share(step, warmup=7, total=40, final_share=0.01) for step in range(41)]
    assert shares[:8] == sorted(shares[:8])
    assert shares[7:] == sorted(shares[7:], reverse=True)
    assert max(shares) == 1
