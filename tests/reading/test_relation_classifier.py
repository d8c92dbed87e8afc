import torch

from graphmem.reading.relation_classifier import type_penalties
from graphmem.text.relation_synonyms import has_literal_objects


def test_no_place_of_birth_is_a_year() -> None:
    literals = [has_literal_objects(name) for name in ("born in", "date of birth", "frobnicates")]
    assert torch.equal(type_penalties(literals, "literal") > 0, torch.tensor([True, False, False]))
    assert torch.equal(type_penalties(literals, "entity") > 0, torch.tensor([False, True, False]))
    assert torch.equal(type_penalties(literals, "pronoun") > 0, torch.tensor([False, True, False]))
