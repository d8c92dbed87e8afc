from graphmem.adapters.spacy import SpacyReader, named_spans


def test_facts_by_rules() -> None:
    facts = [str(fact) for fact in SpacyReader().read("Inception was directed by Christopher Nolan. Is it good?")]
    assert facts == ["Inception | directed by | Christopher Nolan"]


def test_negations_are_no_facts() -> None:
    assert SpacyReader().read("Nolan did not direct Titanic.") == []


def test_spans_lose_articles_and_possessives() -> None:
    text = "The United Nations met in Paris's centre on 5 May 1990."
    found = [(text[a:b], kind) for a, b, kind in named_spans([text])[0]]
    assert ("United Nations", "entity") in found
    assert ("5 May 1990", "literal") in found
    assert all(not name.endswith("'s") for name, _ in found)
