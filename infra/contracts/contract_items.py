"""The DynamoDB items of contracts: one for each, with a state for each component."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeGuard

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Action, Component, EventType, Occurrence
from domain.instants import from_micros, to_micros

Item = Mapping[str, Any]

KIND = "contract"
"""The partition of the index `listing`; only contracts that exist have it."""

_SORT_KEY = "CONTRACT"


def key_of(number: str) -> dict[str, Any]:
    """Return the primary key of a contract's item."""
    return {"pk": {"S": f"CONTRACT#{number}"}, "sk": {"S": _SORT_KEY}}


def listing_key_of(number: str) -> dict[str, Any]:
    """Return the key of a contract in the index `listing`."""
    return {"kind": {"S": KIND}, "number": {"S": number}}


def is_tombstone(item: Item | None) -> TypeGuard[Item]:
    """Return whether an item is a tombstone: what remains of a deleted contract, its number and generation."""
    return item is not None and "components" not in item


def generation_of(item: Item) -> int:
    """Return the generation of a contract, or of a tombstone."""
    return int(item["generation"]["N"])


def version_of(item: Item) -> int:
    """Return the version of a contract, or of a tombstone; items stored before versions were introduced have 0."""
    return int(item.get("version", {"N": "0"})["N"])


def read_contract(item: Item | None) -> Contract | None:
    """Return the contract of an item; None if there is no item, or only a tombstone."""
    return None if item is None or is_tombstone(item) else to_contract(item)


def to_item(contract: Contract) -> dict[str, Any]:
    """Return the item of a contract."""
    return (
        key_of(contract.number)
        | listing_key_of(contract.number)
        | {
            "id": {"S": contract.id},
            "created_at": {"N": str(to_micros(contract.created_at))},
            "generation": {"N": str(contract.generation)},
            "version": {"N": str(contract.version)},
        }
        | states_item(contract.components)
        | {
            name: {"N": str(to_micros(instant))}
            for name, instant in (("stored_at", contract.stored_at), ("corrected_at", contract.corrected_at))
            if instant is not None
        }
    )


def states_item(states: Mapping[Component, ComponentState]) -> dict[str, Any]:
    """Return the attributes with the states; the names are a list too, since a DynamoDB map has no order."""
    return {
        "component_names": {"L": [{"S": component} for component in states]},
        "components": {"M": {component: {"M": _to_slots(state)} for component, state in states.items()}},
    }


def to_states(item: Item) -> dict[Component, ComponentState]:
    """Return the states that `states_item` stored; if only the names are stored, all are empty."""
    states = item.get("components", {"M": {}})["M"]
    components = [Component(name["S"]) for name in item["component_names"]["L"]]
    return {
        component: _to_state(component, states.get(component, {"M": {}})["M"]) for component in components
    }


def _to_slots(state: ComponentState) -> dict[str, Any]:
    """Return only what is set: an unset start or end is absent, never NULL."""
    slots: dict[str, Any] = {}
    for action, occurrence in ((Action.START, state.start), (Action.END, state.end)):
        if occurrence:
            slots[f"{action}_created_at"] = {"N": str(to_micros(occurrence.created_at))}
            slots[f"{action}_date"] = {"S": occurrence.date.isoformat()}
            slots[f"{action}_key"] = {"S": occurrence.key}
    return slots


def to_contract(item: Item) -> Contract:
    """Return the contract of an item; items of the index `listing` have no states, so all are empty."""
    return Contract(
        number=item["number"]["S"],
        # The index has neither id nor generation; no list needs them.
        id=item.get("id", {"S": ""})["S"],
        generation=int(item.get("generation", {"N": "0"})["N"]),
        version=version_of(item),
        created_at=from_micros(int(item["created_at"]["N"])),
        components=to_states(item),
        stored_at=_instant(item, "stored_at"),
        corrected_at=_instant(item, "corrected_at"),
    )


def _instant(item: Item, name: str) -> datetime | None:
    return from_micros(int(item[name]["N"])) if name in item else None


def _to_state(component: Component, slots: Item) -> ComponentState:
    return ComponentState(
        start=_to_occurrence(component, Action.START, slots), end=_to_occurrence(component, Action.END, slots)
    )


def _to_occurrence(component: Component, action: Action, slots: Item) -> Occurrence | None:
    if f"{action}_created_at" not in slots:
        return None
    return Occurrence(
        type=EventType.of(component, action),
        date=date.fromisoformat(slots[f"{action}_date"]["S"]),
        created_at=from_micros(int(slots[f"{action}_created_at"]["N"])),
        key=slots[f"{action}_key"]["S"],
    )
