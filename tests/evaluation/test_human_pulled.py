import pytest

from prefkit.evaluation.human_pulled import pulled_ratings
from prefkit.records import Judgment

ARMS = {"b": "base", "t": "tuned"}


def compared(ranks, status="submitted", **more):
    return Judgment(
        prompt_id="p",
        ranks=ranks,
        annotator="ada",
        source="human",
        status=status,
        shown_order=("t", "b"),
        **more,
    )


@pytest.mark.parametrize(
    ("ranks", "credit"), [({"b": 2, "t": 1}, 1.0), ({"b": 1, "t": 1}, 0.5), ({"b": 1, "t": 2}, 0.0)]
)
def test_a_comparison_gives_the_tuned_model_its_credit(ranks, credit):
    aspects = {"task": {"b": 0.0, "t": 1.0}, "style": {"t": 4.0}, "tone": {"t": 2.0}}
    (rating,) = pulled_ratings([compared(ranks, aspects=aspects, comment="c")], ARMS)
    assert (rating.tuned, rating.first, rating.item, rating.rater) == (credit, "tuned", "p", "ada")
    assert (rating.task, rating.style) == ({"base": 0.0, "tuned": 1.0}, {"tuned": 4.0})


def test_only_submitted_comparisons_of_these_models_count():
    others = compared({"x": 1, "y": 2})
    assert pulled_ratings([compared({"b": 1, "t": 2}, "draft"), others, compared(None)], ARMS) == []
