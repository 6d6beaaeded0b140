"""A run that is ended and goes on is the run that was never ended."""

from __future__ import annotations

from pathlib import Path

from tests.torch import WITHOUT, needs_torch

if WITHOUT is None:
    import torch
    from safetensors.torch import load_file
    from torch import Tensor, nn
    from training.kept import keep, take_up
    from training.trainer import Plan, Trainer, draw_losses

pytestmark = needs_torch


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.enter, self.middle, self.conv = nn.Linear(6, 16), nn.Linear(16, 16), nn.Conv2d(1, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        made = self.middle(self.enter(x).tanh())
        return self.conv(made.reshape(-1, 1, 4, 4)).mean(dim=(1, 2, 3))


def _run(folder: Path, steps: int, whole: int) -> dict[str, Tensor]:
    """Up to `steps`, on the way to `whole`."""
    network = _Net()
    trainer = Trainer("net", network, Plan(steps=whole, decay=20, warm=5, batch=8, keep_every=10), folder)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        if step == steps:
            raise KeyboardInterrupt
        x = torch.randn((8, 6), generator=torch.Generator().manual_seed(step))
        return ((network(x) - x[:, 0]) ** 2).mean(), {}

    try:
        trainer.run(loss_of)
    except KeyboardInterrupt:
        assert steps < whole
    return {key: value.detach().clone() for key, value in network.named_parameters()}


def test_resuming_gives_what_an_unbroken_run_gives(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole = _run(tmp_path / "whole", 40, 40)
    _run(tmp_path / "broken", 27, 40)  # its last checkpoint is that of step 20
    broken = _run(tmp_path / "broken", 40, 40)
    for key, value in whole.items():
        torch.testing.assert_close(broken[key], value, rtol=0, atol=0)


def test_the_log_and_its_picture(tmp_path: Path) -> None:
    _run(tmp_path, 100, 100)
    lines = (tmp_path / "net.log.jsonl").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [f'{{"step": {step}' for step in (25, 50, 75, 100)]
    draw_losses(tmp_path / "net.log.jsonl", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "net.loss.png").exists()


def test_a_run_that_was_kept_goes_on_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    _run(tmp_path / "here", 100, 100)
    keep(tmp_path / "here", tmp_path / "kept")
    take_up(tmp_path / "kept", tmp_path / "there")
    network = _Net()
    trainer = Trainer("net", network, Plan(steps=200, decay=20), tmp_path / "there")
    assert (trainer.step, trainer.views) == (100, 800)
    for key, value in load_file(tmp_path / "here" / "net.average.safetensors").items():
        torch.testing.assert_close(dict(network.named_parameters())[key].detach(), value, rtol=1e-3, atol=1e-4)
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    _run(tmp_path / "there", 140, 200)
    assert (tmp_path / "there" / "net.model.safetensors").exists()
    assert any(
        not torch.equal(value, before[key])
        for key, value in load_file(tmp_path / "there" / "net.model.safetensors").items()
    )
