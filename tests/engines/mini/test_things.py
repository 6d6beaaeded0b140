"""What is in a picture: as numbers, as a plan, and less what is unwanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heddle.engines.mini import plan, sampling, things
from heddle.engines.mini.sampling import Floats, Knobs, Told
from heddle.engines.mini.things import Thing

RED, BLUE = (0.9, 0.2, 0.2), (0.2, 0.4, 0.8)
HOUSE = Thing(kind=12, color=RED, x=0.25, y=0.75, wide=0.25, high=0.25, flip=False)
CAT = Thing(kind=19, color=None, x=0.75, y=0.5, wide=0.2, high=0.3, flip=True)


def kind_of(cell: Floats) -> int:
    return int((plan.codes() @ cell[plan.QUARTERS : plan.QUARTERS + plan.CODE]).argmax())


@pytest.mark.parametrize("there", [(), (HOUSE,), (HOUSE, CAT, HOUSE, CAT)])
def test_things_are_read_back_from_their_numbers_through_some_noise(there: tuple[Thing, ...]) -> None:
    rows = things.numbers(there)
    assert rows.shape == things.SHAPE
    noise = np.random.default_rng(1).normal(0, 0.02, rows.shape).astype(np.float32)
    found = things.read(rows + noise)
    assert [(thing.kind, thing.flip, thing.color is None) for thing in found] == [
        (thing.kind, thing.flip, thing.color is None) for thing in there
    ]
    for one, other in zip(found, there, strict=True):
        for side in ("x", "y", "wide", "high"):
            assert getattr(one, side) == pytest.approx(getattr(other, side), abs=0.03)
        if other.color is not None:
            assert one.color == pytest.approx(other.color, abs=0.05)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_numbers_beyond_all_measure_are_still_things_in_the_frame(value: float) -> None:
    rows = things.numbers([HOUSE])
    rows[0, 1:] = value
    for thing in things.read(rows):
        made = things.planned([thing])
        assert np.isfinite(made).all()
        assert 0 <= thing.x <= 1
        assert 0.05 <= thing.wide <= 1


def test_a_plan_has_boxes_where_things_are_and_nothing_else() -> None:
    made = things.planned([HOUSE, CAT])
    assert made.shape == (plan.CHANNELS, 16, 16)
    assert made.dtype == np.float32
    # The house covers a quarter of each side: four cells of sixteen, from the second on.
    assert (made[: plan.QUARTERS].mean(axis=(0, 1, 2)) + 1) / 2 == pytest.approx(0.25**2 + 0.2 * 0.3, abs=1e-5)
    inside, outside = made[:, 12, 4], made[:, 1, 1]
    assert (inside[: plan.QUARTERS] == 1).all()
    assert kind_of(inside) == HOUSE.kind
    assert inside[plan.QUARTERS + plan.CODE :][:4] == pytest.approx([0.8, -0.6, -0.6, 1], abs=1e-5)
    assert (outside[: plan.QUARTERS] == -1).all()
    assert (outside[plan.QUARTERS :] == 0).all()
    assert kind_of(made[:, 8, 12]) == CAT.kind
    assert made[plan.QUARTERS + plan.CODE :, 8, 12][:4] == pytest.approx([0, 0, 0, -1], abs=1e-5)


def test_cells_know_which_part_of_a_thing_they_show() -> None:
    made = things.planned([HOUSE])
    across, down = made[-2, 12, 2:6], made[-1, 10:14, 4]
    assert across == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert down == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    mirrored = things.planned([replace(HOUSE, flip=True)])
    assert mirrored[-2] == pytest.approx(-made[-2])
    assert mirrored[-1] == pytest.approx(made[-1])


def test_on_a_long_canvas_things_spread_and_stay_as_large() -> None:
    made = things.planned([HOUSE, CAT], (16, 40))
    assert made.shape == (plan.CHANNELS, 16, 40)
    covered = (made[: plan.QUARTERS].mean(axis=0) + 1) / 2
    assert covered.sum() == pytest.approx((0.25**2 + 0.2 * 0.3) * 256, abs=1e-3)
    assert kind_of(made[:, 12, 10]) == HOUSE.kind
    assert kind_of(made[:, 8, 30]) == CAT.kind


def test_parts_are_the_waves_of_a_place_for_each_kind() -> None:
    shown = plan.parts(things.planned([HOUSE])[None].transpose(0, 2, 3, 1))
    assert shown.shape == (1, 16, 16, plan.PARTS)
    assert np.abs(shown[0, 1, 1]).max() == 0
    cell = shown[0, 12, 2].reshape(1 + plan.CODE, plan.WAVES, plan.WAVES)
    u, v = -0.75, 0.25
    assert cell[0, 0, 0] == pytest.approx(1)
    assert cell[0, 1, 1] == pytest.approx(u * v)
    assert cell[0, 2, 5] == pytest.approx(np.sin(np.pi * u) * np.cos(2 * np.pi * v), abs=1e-5)
    assert cell[1:, 0, 0] == pytest.approx(plan.codes()[HOUSE.kind])


def test_what_all_looks_have_is_certain() -> None:
    other = Thing(kind=3, color=BLUE, x=0.5, y=0.5, wide=0.2, high=0.2, flip=False)
    assert things.certain([[HOUSE, other], [HOUSE], [HOUSE, CAT]]) == [HOUSE]
    assert things.certain([[HOUSE], [replace(HOUSE, color=BLUE)]]) == [replace(HOUSE, color=None)]
    assert things.certain([[HOUSE], [other], [CAT]]) == []
    assert things.certain([[HOUSE], []]) == []


def test_what_is_unwanted_is_left_out_by_kind_and_by_colour() -> None:
    blue = replace(HOUSE, color=BLUE)
    assert things.without([HOUSE, CAT, blue], [replace(HOUSE, color=None)]) == [CAT]
    assert things.without([HOUSE, CAT, blue], [HOUSE]) == [CAT, blue]
    assert things.without([replace(HOUSE, color=None), CAT], [HOUSE]) == [replace(HOUSE, color=None), CAT]
    assert things.without([HOUSE, CAT], []) == [HOUSE, CAT]


def naming(x: Floats, levels: Floats, told: Told) -> Floats:
    """A layout that places what the first number of a text's mean names; of no text anything, as the noise has it."""
    rows = []
    for row, pooled in zip(x, told.pooled, strict=True):
        kind = int(pooled[0]) if pooled[0] >= 0 else int(abs(row[0, 1]) * 1e4) % 24
        rows.append(things.numbers([HOUSE, replace(CAT, kind=kind)]))
    assert len(levels) == len(x)
    return np.stack(rows)


def told(*named: int) -> Told:
    pooled = np.zeros((len(named), 144), np.float32)
    pooled[:, 0] = named
    return Told(np.zeros((len(named), 40, 144), np.float32), pooled, np.zeros((len(named), 1, 1, 40), np.float32))


def test_a_negative_prompt_takes_away_what_it_names() -> None:
    plain = sampling.laid_out(naming, told(19, 5), [1, 2], Knobs(steps=3))
    assert [[thing.kind for thing in row] for row in plain] == [[12, 19], [12, 5]]
    # What this layout places for every text is named by every text; the cat by the first alone.
    led = sampling.laid_out(naming, told(19, 5), [1, 2], Knobs(steps=3), against=told(19, 19))
    assert [[thing.kind for thing in row] for row in led] == [[], [5]]
    at_one = sampling.laid_out(naming, told(19, 5), [1, 2], Knobs(steps=3, cfg=1.0), against=told(19, 19))
    assert at_one == plain


def test_what_says_nothing_of_things_takes_none_away() -> None:
    led = sampling.laid_out(naming, told(19), [1], Knobs(steps=3), against=told(-1))
    assert [thing.kind for thing in led[0]] == [19]


def test_things_are_placed_anew_where_strength_leaves_little_of_a_source() -> None:
    assert [sampling.stays(strength) for strength in (0.0, 0.3, 0.7, 0.8, 1.0)] == [True, True, True, False, False]


def test_of_several_tries_the_least_crowded_is_taken() -> None:
    over = replace(CAT, x=HOUSE.x, y=HOUSE.y)
    assert things.crowding([HOUSE]) == things.crowding([HOUSE, CAT]) == 0
    assert things.crowding([HOUSE, over]) > things.crowding([HOUSE, replace(over, x=0.35)]) > 0
    assert things.crowding([HOUSE, HOUSE]) == pytest.approx(1)
    crowded = [things.numbers([HOUSE, over])] * sampling.TRIES
    rows = np.stack([*crowded[1:], things.numbers([HOUSE, CAT]), *crowded])
    best = sampling.kept(naming, rows, None)
    assert [things.crowding(row) > 0 for row in best] == [False, True]


@pytest.mark.parametrize("cells", [(16, 16), (16, 40), (30, 16)])
def test_the_things_of_a_plan_are_found_again(cells: tuple[int, int]) -> None:
    third = Thing(kind=3, color=BLUE, x=0.55, y=0.2, wide=0.3, high=0.2, flip=True)
    placed = [HOUSE, CAT, third]
    made = things.planned(placed, cells)
    noise = np.random.default_rng(2).normal(0, 0.05, made.shape).astype(np.float32)
    again = things.found(made + noise)
    assert len(again) == 3
    for thing in placed:
        [same] = [other for other in again if other.kind == thing.kind]
        for side in ("x", "y", "wide", "high"):
            assert getattr(same, side) == pytest.approx(getattr(thing, side), abs=0.03), side
        assert same.flip == thing.flip
        assert (same.color is None) == (thing.color is None)
        if same.color is not None:
            assert same.color == pytest.approx(thing.color, abs=0.06)


def test_in_a_plan_of_nothing_nothing_is_found() -> None:
    assert things.found(things.planned([])) == []
    assert things.found(np.full((plan.CHANNELS, 16, 16), -1e9, np.float32)) == []
    assert len(things.found(np.random.default_rng(0).normal(size=(plan.CHANNELS, 16, 16)).astype(np.float32))) <= 4


def box(kind: int, color: tuple[float, float, float] | None, x: float, y: float, *, flip: bool = False) -> Thing:
    return Thing(kind=kind, color=color, x=x, y=y, wide=0.25, high=0.25, flip=flip)


@pytest.mark.parametrize(
    "placed",
    [
        [box(12, RED, 0.3, 0.5), box(12, RED, 0.55, 0.5)],
        [box(12, RED, 0.3, 0.5), box(12, RED, 0.55, 0.5, flip=True)],
        [box(12, RED, 0.3, 0.5), box(12, BLUE, 0.55, 0.5)],
        [box(12, None, 0.5, 0.3), box(12, None, 0.55, 0.55)],
        [box(12, RED, 0.31, 0.3), box(12, RED, 0.56, 0.35), box(12, RED, 0.42, 0.6)],
    ],
)
def test_things_of_a_kind_that_touch_are_found_apart(placed: list[Thing]) -> None:
    made = things.planned(placed)
    noise = np.random.default_rng(3).normal(0, 0.05, made.shape).astype(np.float32)
    again = things.found(made + noise)
    assert len(again) == len(placed)
    for thing in placed:
        nearest = min(again, key=lambda other, thing=thing: abs(other.x - thing.x) + abs(other.y - thing.y))
        assert abs(nearest.x - thing.x) + abs(nearest.y - thing.y) < 0.08
        assert nearest.wide == pytest.approx(thing.wide, abs=0.08)
        assert nearest.color == pytest.approx(thing.color, abs=0.15)


def test_a_long_plan_has_as_many_things_as_there_are() -> None:
    row = [box(at, RED, (at + 0.5) / 8, 0.5) for at in range(8)]
    assert len(things.found(things.planned(row, (16, 128)))) == 8


def test_a_text_may_name_a_kind_in_two_colours() -> None:
    red, blue = box(12, RED, 0.3, 0.5), box(12, BLUE, 0.7, 0.5)
    certain = things.certain([[red, blue], [blue, red]])
    assert certain == [red, blue]
    yellow = replace(red, color=(0.95, 0.8, 0.2))
    assert things.without([red, yellow, blue], certain) == [yellow]
