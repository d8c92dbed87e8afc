"""Tables of facts: head lines, columns, quotes, line ends, encodings, spreadsheets."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.edits import AddEdge
from graphmem.core.errors import InvalidValue
from graphmem.storage.exchange.delimited import _csv_rows, cell, read_csv, read_tsv
from graphmem.storage.exchange.fact_files import Context, Reject


def read(text: str | bytes, reader=read_csv, **options):
    """Facts as texts, rejects as line and reason, and notes."""
    context = Context(**options)
    data = text if isinstance(text, bytes) else text.encode()
    items = list(reader(io.BytesIO(data), context))
    facts = [f"{item.subject} | {item.relation} | {item.object}" for _, item in items if isinstance(item, AddEdge)]
    return facts, [(line, item.reason) for line, item in items if isinstance(item, Reject)], context.notes


@pytest.mark.parametrize(
    "head",
    ["source,relation,target", "subject,predicate,object", "S,P,O", "head,relation,tail", "from,type,to",
     "start,label,end", "Source,Label,Target", "SRC,rel,DST", 
     "Subject Name,Relation Type,Object_Name", ":START_ID,:TYPE,:END_ID"],
)  # fmt: skip
def test_known_head_lines_are_known_in_any_case(head):
    facts, rejects, notes = read(f"{head}\nAda,likes,Tea\n")
    assert facts == ["Ada | likes | Tea"] and not rejects
    assert "columns by the head line" in notes[0]
    assert read(head.replace(",", "\t") + "\nAda\tlikes\tTea\n", read_tsv)[0] == facts


def test_the_order_of_gephi_and_its_other_columns():
    text = "Source,Target,Type,Id,Label,timeset,Weight\nAda,Tea,Directed,0,likes,,2.5\nBob,Rum,Undirected,1,,,1\n"
    context = Context()
    items = [item for _, item in read_csv(io.BytesIO(text.encode()), context)]
    assert [(i.subject, i.relation, i.object) for i in items] == [("Ada", "likes", "Tea"), ("Bob", "related to", "Rum")]
    assert items[0].attributes == {"Type": "Directed", "Id": "0", "Weight": "2.5"} and items[0].confidence == 1.0
    assert read("Source,Target,Label\nAda,Tea,likes\n")[0] == ["Ada | likes | Tea"]
    assert read("Source,Target,Type\nAda,Tea,Directed\n")[0] == ["Ada | related to | Tea"]
    assert read("source,target\nAda,Tea\n")[0] == ["Ada | related to | Tea"]


def test_a_source_beside_a_subject_is_an_origin():
    text = "subject,relation,object,source,Valid From,mood\nAda,likes,Tea,wiki,1843,glad\n"
    item = next(iter(read_csv(io.BytesIO(text.encode()), Context())))[1]
    assert (item.source, item.valid_from, item.attributes) == ("wiki", "1843", {"mood": "glad"})


@pytest.mark.parametrize(
    "text",
    ["entity,attribute,value\nAda,born,1815\nBob,died,1900\n", "Name,Job,City\nAnn,Nurse,Oslo\nBo,Clerk,Rome\n",
     "person,employer,town\nAnn,Acme,Oslo\nBo,Banx,Rome\n", "a,b,c,d,e\n1,2,3,4,5\n", "Subject,says,Object\na,b,c\n",
     "PERSON,BOSS,TOWN\nAnn Lee,Bo Fox,Oslo\nBo Fox,Cy Day,Rome\n", "id,name,title\n1,Ann,Dr\n2,Bo,Mr\n"],
)  # fmt: skip
def test_any_other_head_line_refuses_the_file_with_what_to_do(text):
    facts, rejects, _ = read(text)
    assert facts == [] and [line for line, _ in rejects] == [1]
    assert "--columns" in rejects[0][1] and "source/target" in rejects[0][1]


@pytest.mark.parametrize(
    "text",
    ["Ada,likes,Tea\nBob,likes,Rum\n", "Ada,likes,Tea\n", "Ada,likes,Tea\nBob,works at,Acme\n", "12,is,13\n14,was,15\n",
     "ann,knows,bob\nbob,hates,cy\n", "Ada,type,Person\nTea,type,Drink\n", "name,is,word\nname,has,letters\n"],
)  # fmt: skip
def test_three_plain_columns_are_data_and_it_says_so(text):
    facts, rejects, notes = read(text)
    assert len(facts) == text.count("\n") and not rejects
    assert "no head line" in notes[0]


def test_columns_given_by_the_user():
    text = "entity,attribute,value\nAda,likes,Tea\n"
    by_place = read(text, columns=["subject", "relation", "object"])
    assert by_place[0] == ["Ada | likes | Tea"] and "line 1 is taken as a head line" in by_place[2][0]
    assert read(text, columns=["subject=value", "relation=attribute", "object=entity"])[0] == ["Tea | likes | Ada"]
    assert read("x,Ada,Tea,likes\ny,Bob,Rum,likes\n", columns=["-", "subject", "object", "relation"])[0][1] == (
        "Bob | likes | Rum"
    )
    context = Context(columns=["subject", "relation", "object", "mood"])
    items = [item for _, item in read_csv(io.BytesIO(b"Ada,likes,Tea,glad\nBob,likes,Rum,sad\n"), context)]
    assert [item.attributes for item in items] == [{"mood": "glad"}, {"mood": "sad"}]
    for wrong in (["subject", "relation"], ["subject=nothing", "object=value"], ["nonsense"], ["a=b=c"]):
        with pytest.raises(InvalidValue, match="columns"):
            read(text, columns=wrong)


def test_an_unclosed_quote_costs_its_own_line():
    text = 'Ada,likes,"Tea\nBob,likes,Rum\nEve,likes,Gin\n'
    facts, rejects, _ = read(text)
    assert facts == ["Bob | likes | Rum", "Eve | likes | Gin"]
    assert rejects == [(1, "a quoted cell begins here and is never closed")]


@pytest.mark.parametrize(
    ("text", "kept", "lines"),
    [
        ('a,r,b\nAda,r,"Tea\nBob,r,"Rum"\nEve,r,Gin\n', ["a | r | b", "Bob | r | Rum", "Eve | r | Gin"], [2]),
        ('a,r,b\nBob,r,"x"y\nEve,r,Gin\n', ["a | r | b", "Eve | r | Gin"], [2]),
        ('a,r,b\nBob,"r,x\nEve,r,"Gin\nFay,r,Ale\n', ["a | r | b", "Fay | r | Ale"], [2, 3]),
        ('a,r,b\nc,r,"d ""e"""\n"f,r,g', ["a | r | b", 'c | r | d "e"'], [3]),
        ('a,r,"b\n\n c"\n', ["a | r | b\n\n c"], []),
        ('a,r,"b\rc\r\nd"\r\ne,r,f\r\n', ["a | r | b\rc\r\nd", "e | r | f"], []),
        ('5" disk,r,3" disk\nx,r,y\n', ['5" disk | r | 3" disk', "x | r | y"], []),
    ],
)
def test_quotes(text, kept, lines):
    facts, rejects, _ = read(text)
    assert (facts, [line for line, _ in rejects]) == (kept, lines)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_line_ends_and_encodings(end, encoding):
    text = end.join(["subject,relation,object", "Łukasz,likes,Żurek", 'Bob,likes,"Rum"', ""])
    facts, rejects, _ = read(("\ufeff" if encoding == "utf-16-le" else "").encode(encoding) + text.encode(encoding))
    assert facts == ["Łukasz | likes | Żurek", "Bob | likes | Rum"] and not rejects


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_read_and_broken_off_is_named(encoding):
    data = "Ada,likes,Tea\nBob,likes,Rum\n".encode(encoding)
    assert read(data)[0] == ["Ada | likes | Tea", "Bob | likes | Rum"]
    with pytest.raises(UnicodeError):
        read(data[:-1])


def test_formulas_get_an_apostrophe_only_when_asked_and_lose_it_only_when_told():
    risky = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "''+x", "＝x"]
    for text in [*risky, "plain", "'tis", "a=b", "'"]:
        assert cell(text).strip('"') == text
        safe = cell(text, True)
        assert (safe.strip('"') == f"'{text}") == (text in risky)
        row = f"subject,relation,object,text\na,r,b,{safe}\n".encode()
        items = [item for _, item in read_csv(io.BytesIO(row), Context(spreadsheet_safe=True))]
        assert [item.text for item in items] == [text]
        items = [item for _, item in read_csv(io.BytesIO(row), Context())]
        assert [item.text for item in items] == [f"'{text}" if text in risky else text]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_any_cells_come_back(table):
    data = "".join(",".join(map(cell, row)) + "\n" for row in table).encode()
    if data.startswith("\ufeff".encode()):
        return
    assert [cells for _, cells in _csv_rows(io.BytesIO(data))] == table


def test_quotes_without_end_are_looked_at_a_few_times_only(monkeypatch):
    """The lines scanned grow with the file, not with its square, however many quotes are never closed."""
    import graphmem.storage.exchange.delimited as module

    scanned: list[int] = []
    scan = module._quotes
    monkeypatch.setattr(module, "_quotes", lambda line, *more: (scanned.append(1), scan(line, *more))[1])
    for line in ('a,r,"b\n', 'a,r,""b\n', 'a,r,"""b\n', 'a,"r,b"x\n'):
        scanned.clear()
        list(_csv_rows(io.BytesIO(line.encode() * 2000)))
        assert len(scanned) <= 3 * 2000


def test_semicolons_separate_where_the_first_line_has_no_comma():
    text = 'Source;Target;Type;Label\nAda;"Tea; green";Directed;likes\nBob;a,b;Directed;"has"\n'
    assert read(text)[0] == ["Ada | likes | Tea; green", "Bob | has | a,b"]
    assert read("Ada;x,likes,Tea\n")[0] == ["Ada;x | likes | Tea"]
