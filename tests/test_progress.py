import io
import re

import pytest
from rich.console import Console

from skcifar._system.progress import Progress, progress_bar


@pytest.fixture
def screen(monkeypatch):
    """Return what is drawn on a terminal of 80 columns."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("rich.progress.get_console", lambda: console)
    return output


def drawn_lines(screen):
    """Return every state of the bar, as text."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", screen.getvalue())
    return [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]


def test_silent_by_default(make_classifier, images, capfd):
    make_classifier().fit(*images).predict(images[0])
    assert capfd.readouterr() == ("", "")


def test_shows_phase_share_time_and_figures_in_one_line(make_classifier, images, screen):
    make_classifier(verbose=1, feature_cache=None).fit(*images)
    lines = drawn_lines(screen)
    assert {line.split()[0] for line in lines} == {"features", "head"}
    assert re.search(r"^head ━+ 100% \d:\d\d:\d\d loss \S+ accuracy \S+$", lines[-1])
    assert screen.getvalue().count("\n") == 1


def test_nothing_but_the_bar_is_printed(make_classifier, images, screen, capfd):
    make_classifier(verbose=1).fit(*images)
    assert capfd.readouterr() == ("", "")


def test_80_columns_hold_the_figures_of_the_validation_set(make_classifier, images, screen):
    X, y = images
    make_classifier(verbose=1, fine_tune_epochs=1, fine_tune_blocks=0).fit(X, y, X_val=X, y_val=y)
    last = drawn_lines(screen)[-1]
    assert re.search(r"^fine-tuning ━+ 100% \d:\d\d:\d\d val_loss \S+ val_accuracy \S+$", last)
    assert max(map(len, drawn_lines(screen))) <= 80
    assert "…" not in screen.getvalue()


def test_bar_ends_as_complete_where_training_stopped_early(make_classifier, images, screen):
    X, y = images
    classifier = make_classifier(verbose=1, early_stopping=True, n_iter_no_change=1, epochs=50)
    classifier.fit(X, (y + X[:, 0, 0, 0]) % 2)  # noise: nothing to learn
    assert classifier.n_iter_ < 50
    assert " 100% " in drawn_lines(screen)[-1]


def test_steps_that_were_done_before_count(screen):
    with progress_bar(1) as progress:
        progress.phase("head", 10)
        progress.skip(5)
    assert any(" 50% " in line for line in drawn_lines(screen))


def test_failed_call_takes_the_bar_away(screen):
    def fail():
        with progress_bar(1) as progress:
            progress.phase("head", 10)
            progress.advance()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert " 10% " in drawn_lines(screen)[-1]
    assert screen.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_features_show_a_bar_too(make_features, images, screen):
    make_features(verbose=True, feature_cache=None).fit(images[0]).transform(images[0])
    assert drawn_lines(screen)[-1].startswith("features ━")


def test_second_bar_of_a_process_does_not_disturb_the_first(screen):
    with progress_bar(1) as outer, progress_bar(1) as inner:
        outer.phase("outer", 2)
        inner.phase("inner", 2)
        outer.advance(2)
    assert " 100% " in drawn_lines(screen)[-1]


def test_progress_without_a_bar_reports_to_nobody():
    progress = Progress()
    progress.phase("head", 3)
    progress.advance(note="loss 1")
    progress.complete()


def test_a_file_gets_a_line_now_and_then_and_the_last_one(monkeypatch):
    output = io.StringIO()
    console = Console(file=output, width=80)
    monkeypatch.setattr("rich.progress.get_console", lambda: console)
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("skcifar._system.progress.time.monotonic", lambda: next(seconds))
    with progress_bar(1) as progress:
        progress.phase("head", 7)
        for epoch in range(7):
            progress.advance(note=f"loss {epoch}")
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert [re.sub(r"^head [━╸╺ ]+ (\d+%) \S+ (.*)$", r"\1 \2", line) for line in lines] == [
        "43% loss 2",
        "86% loss 5",
        "100% loss 6",
    ]
