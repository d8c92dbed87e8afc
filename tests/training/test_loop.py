"""What a run shows while it trains: lines with the time left, or a bar at a terminal."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import torch

from graphmem.training.loop import LoopConfig, run

CODE = """
import sys, torch
from graphmem.training.loop import LoopConfig, run
layer = torch.nn.Linear(2, 1)
loss = lambda step: ({"loss": layer(torch.ones(1, 2)).square().mean()}, {})
run(layer, torch.optim.AdamW(layer.parameters()), loss, LoopConfig(6, log_every=2), sys.argv[1])
"""


def test_without_a_terminal_lines_say_how_much_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    layer = torch.nn.Linear(2, 1)
    loss = lambda step: ({"loss": layer(torch.ones(1, 2)).square().mean()}, {})
    with caplog.at_level(logging.INFO):
        run(layer, torch.optim.AdamW(layer.parameters()), loss, LoopConfig(6, log_every=2), tmp_path / "stage1")
    lines = [record.getMessage() for record in caplog.records]
    assert [re.sub(r"\d\d:\d\d|\d\.\d{3}", "N", line) for line in lines] == [
        f"stage1: step {step} of 6, N left, loss N" for step in (2, 4, 6)
    ]
    assert ", 00:00 left" in lines[-1]


def test_at_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    theirs, ours = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    running = subprocess.Popen([sys.executable, "-c", CODE, str(tmp_path / "run")], stderr=ours, stdout=ours)
    os.close(ours)
    shown = b""
    while True:
        try:
            piece = os.read(theirs, 4096)
        except OSError:  # the other end is closed
            break
        shown += piece
        if not piece:
            break
    assert running.wait(60) == 0
    text = shown.decode()
    assert "run" in text and "6/6" in text and "loss=" in text and "<" in text
