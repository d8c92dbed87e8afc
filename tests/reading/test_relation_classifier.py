import torch

from graphmem.reading.relation_classifier import type_penalties
from graphmem.text.relation_synonyms import tells_literals


def test_no_place_of_birth_is_a_year() -> None:
    literals = [tells_literals(name) for name in ("born in", "date of birth", "frobnicates")]
    assert torch.equal(type_penalties(literals, "literal") > 0, torch.tensor([True, False, False]))
    assert torch.equal(type_penalties(literals, "entity") > 0, torch.tensor([False, True, False]))
    assert torch.equal(type_penalties(literals, "pronoun") > 0, torch.tensor([False, True, False]))
