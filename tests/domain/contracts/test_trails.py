"""What follows from a whole trail, whatever the order of arrival."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from domain.contracts.contract import Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.folds import fold
from domain.contracts.timelines import Span, advance, timeline
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import ACCEPTED, Code, decide
from tests.small_cases import day, instant

CONTRACT = Contract.new("1001", "id", instant(0), (Component.ENERGY_SUPPLY, Component.BATTERY_OPTIMIZATION))


def event(action: Action, at: int, on: int) -> ComponentEvent:
    return ComponentEvent(
        EventType.of(Component.ENERGY_SUPPLY, action), "1001", day(on), instant(at), f"{at}-{on}"
    )


def arrived(events: tuple[ComponentEvent, ...]) -> list[Entry]:
    return [
        Entry(one, ACCEPTED, "", Reception(instant(100 + index), Source.BUS, "request"))
        for index, one in enumerate(events)
    ]


START, END = event(Action.START, 1, 1), event(Action.END, 2, 5)


def test_an_end_that_arrived_before_its_start_counts_after_folding() -> None:
    assert decide(CONTRACT, END).code is Code.END_WITHOUT_START
    assert timeline(fold(CONTRACT, arrived((END, START))))[Component.ENERGY_SUPPLY] == Span(day(1), day(5))


def test_folding_keeps_the_order_of_the_components() -> None:
    assert list(fold(CONTRACT, arrived((START,))).components) == list(CONTRACT.components)


def test_of_two_events_created_at_the_same_instant_the_one_that_arrived_first_counts() -> None:
    first, second = event(Action.START, 1, 1), event(Action.START, 1, 2)
    for earlier, later in ((first, second), (second, first)):
        entries = arrived((earlier, later))
        for given_in in (entries, entries[::-1]):
            assert timeline(fold(CONTRACT, given_in))[Component.ENERGY_SUPPLY].start == earlier.date


@given(
    st.lists(
        st.builds(event, st.sampled_from(Action), st.integers(1, 9), st.integers(1, 4)),
        max_size=4,
        unique_by=lambda one: one.created_at,
    )
)
def test_folding_gives_the_same_timeline_for_every_order_of_arrival(events: list[ComponentEvent]) -> None:
    folded = {str(fold(CONTRACT, arrived(order)).components) for order in permutations(events)}
    assert len(folded) == 1


def test_arrival_order_is_not_harmless_without_folding() -> None:
    """Pinned: after s1, e2 and e4 a late s3 is accepted, as every rule compares with what counts only."""
    contract = CONTRACT
    for late in (
        event(Action.START, 1, 1),
        event(Action.END, 2, 5),
        event(Action.END, 4, 5),
        event(Action.START, 3, 2),
    ):
        assert decide(contract, late).accepted
        component = late.type.component
        contract = contract.with_states(
            {**contract.components, component: advance(contract.components[component], late)}
        )
    in_order = fold(
        CONTRACT, arrived((event(Action.START, 1, 1), event(Action.END, 2, 5), event(Action.START, 3, 2)))
    )
    assert timeline(contract)[Component.ENERGY_SUPPLY] == Span(day(2), day(5))
    assert timeline(in_order)[Component.ENERGY_SUPPLY] == Span(day(1), day(5))
