import torch

from graphmem.reading.relation_classifier import _misfits
from graphmem.text.relation_synonyms import has_literal_objects


def test_no_place_of_birth_is_a_year() -> None:
    told = [has_literal_objects(name) for name in ("born in", "date of birth", "frobnicates")]
    assert torch.equal(_misfits(told, "literal") > 0, torch.tensor([True, False, False]))
    assert torch.equal(_misfits(told, "entity") > 0, torch.tensor([False, True, False]))
    assert torch.equal(_misfits(told, "pronoun") > 0, torch.tensor([False, True, False]))
