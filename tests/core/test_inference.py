"""OpenVINO's compiler at tiny size, and what `auto` means."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from dfmnist.core.errors import InputError
from dfmnist.core.inference import Compiled, choose, has_amx, openvino_has_bf16

pytestmark = pytest.mark.usefixtures("as_shipped")


class Affine(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * x + 1, x.sum(1)


def calls(count: int) -> list[list[np.ndarray]]:
    return [[np.full((2, 3), i, np.float32)] for i in range(count)]


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_many_calls_answer_in_order(streams: int, count: int) -> None:
    compiled = Compiled(Affine(), [torch.zeros(2, 3)], False, streams)
    found = list(compiled.many(calls(count)))
    assert len(found) == count
    for i, (doubled, total) in enumerate(found):
        np.testing.assert_array_equal(doubled, np.full((2, 3), 2 * i + 1))
        np.testing.assert_array_equal(total, [3 * i, 3 * i])
    (doubled, _) = compiled(calls(5)[4])
    assert doubled[0, 0] == 9


def test_calls_are_fetched_ahead_but_not_all_at_once() -> None:
    compiled = Compiled(Affine(), [torch.zeros(2, 3)], False, streams=2)
    fetched = []

    def counted() -> Iterator[list[np.ndarray]]:
        for call in calls(20):
            fetched.append(call)
            yield call

    answers = compiled.many(counted())
    next(answers)
    assert 2 < len(fetched) <= 5  # two at work, two waiting, one answered
    answers.close()
    assert len(list(compiled.many(calls(3)))) == 3  # still of use after one who stopped listening


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = choose()
    assert (chosen.backend, chosen.device.type) == ("openvino", "cpu")
    assert chosen.precision == ("bf16" if has_amx() else "f32")
    assert choose("torch", "bf16").precision == "bf16"
    assert choose("torch", "f32").backend == "torch"
    for backend, precision, match in (
        ("tpu", "auto", "--backend is 'tpu'; expected one of auto, openvino, torch"),
        ("auto", "f16", "--precision is 'f16'; expected one of auto, f32, bf16"),
    ):
        with pytest.raises(InputError, match=match):
            choose(backend, precision)
    if not openvino_has_bf16():
        with pytest.raises(InputError, match="--precision bf16: OpenVINO has no bfloat16"):
            choose("openvino", "bf16")


def test_a_gpu_is_taken_unless_openvino_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    chosen = choose()
    assert (chosen.backend, chosen.device.type, chosen.precision) == ("torch", "cuda", "f32")
    assert choose("openvino", "f32").device.type == "cpu"


def test_onednn_held_back_has_no_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert not has_amx()


def test_the_choice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="dfmnist"):
        choose("openvino", "f32")
    assert caplog.messages == ["networks run in openvino on cpu, f32"]
