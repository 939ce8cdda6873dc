"""What the page says of the result."""

from dfmnist.detectors.metrics import Evaluation
from dfmnist.experiments.tables import Cell
from dfmnist.experiments.written import Numbers
from dfmnist.reports import text
from dfmnist.stats.intervals import Estimate


def evaluation(value: float) -> Evaluation:
    found = {"accuracy": Estimate(value, value - 0.05, value + 0.05, 1600, 12)}
    return Evaluation(found, found, 1600, 100, 12, 1000)


def test_where_real_clips_only_talk_the_action_is_named_as_a_cause() -> None:
    cells = {("raw", "mesoinception4"): Cell("mesoinception4", "raw", None, evaluation(0.73))}
    acting = Numbers(evaluation(0.515), 0.5, 1, "mesoinception4", 64, 16, 1393, "random", "run")
    beside = text.shortcut_words(acting)
    told = text.verdict(cells, talks=True, where_reals_act=beside).text
    assert "names 73.0% of single frames correctly" in told
    assert "may be the action and not the forgery" in told
    assert "MesoInception-4 is right on 51.5% of frames (46.5 to 56.5%)" in told
    plain = text.verdict(cells, where_reals_act=beside).text
    assert "action" not in plain
