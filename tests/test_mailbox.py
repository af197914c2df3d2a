"""One slot between two threads: the newest wins, or the sender waits; nobody waits for ever."""

import threading

import pytest

from inkstream.stream.base.mailbox import Mailbox, MailboxClosed
from inkstream.stream.session.changes import LIMIT, Changes


def in_thread(target):
    """Run ``target`` in a thread; returns a function that gives its result, or what it raised, within 5 s."""
    box = []

    def body():
        try:
            box.append(target())
        except (MailboxClosed, TimeoutError) as error:
            box.append(type(error))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def result():
        thread.join(5)
        assert not thread.is_alive(), "still waiting"
        return box[0]

    return result


def test_the_newest_wins_and_a_replaced_one_is_told():
    box = Mailbox()
    assert [box.put(n) for n in range(4)] == [False, True, True, True]
    assert box.get(0) == 3
    assert box.put(4) is False


def test_none_is_an_item():
    box = Mailbox()
    box.put(None)
    assert box.get(0) is None


def test_get_waits_for_an_item_and_gives_up_in_time():
    box = Mailbox()
    with pytest.raises(TimeoutError):
        box.get(0)
    with pytest.raises(TimeoutError):
        box.get(0.01)
    result = in_thread(box.get)
    box.put("late")
    assert result() == "late"


def test_put_wait_waits_for_room():
    box = Mailbox()
    box.put_wait(1)
    with pytest.raises(TimeoutError):
        box.put_wait(2, timeout=0.01)
    result = in_thread(lambda: box.put_wait(2))
    assert box.get() == 1
    assert result() is None
    assert box.get(0) == 2


def test_closing_wakes_all_who_wait():
    empty, full = Mailbox(), Mailbox()
    full.put(1)
    waiting = [in_thread(empty.get), in_thread(empty.get), in_thread(lambda: full.put_wait(2))]
    for box in (empty, full):
        box.close()
        box.close()
    assert [result() for result in waiting] == [MailboxClosed] * 3
    for put in (full.put, full.put_wait):
        with pytest.raises(MailboxClosed):
            put(3)
    assert full.get() == 1, "what lies in the slot can still be taken"
    with pytest.raises(MailboxClosed):
        full.get()


def test_wake_ends_one_wait_without_an_item():
    box = Mailbox()
    result = in_thread(box.get)
    box.wake()
    assert result() is TimeoutError
    with pytest.raises(TimeoutError):
        box.get(0.01)
    box.wake()
    box.put(1)
    assert box.get(0) == 1


def test_held_it_gives_nothing_out_and_the_newest_afterwards():
    box = Mailbox()
    result = in_thread(box.get)
    box.hold(True)
    assert result() is TimeoutError, "who waits hears of it"
    assert [box.put(n) for n in range(3)] == [False, True, True]
    box.close()
    with pytest.raises(TimeoutError):
        box.get(0.01)
    box.hold(False)
    assert box.get(0) == 2
    with pytest.raises(MailboxClosed):
        box.get()


def test_every_item_arrives_once_and_in_order_when_the_sender_waits():
    box, got = Mailbox(), []

    def receive():
        while True:
            try:
                got.append(box.get())
            except MailboxClosed:
                return

    done = in_thread(receive)
    for n in range(2000):
        box.put_wait(n)
    box.close()
    done()
    assert got == list(range(2000))


def test_waiting_changes_of_the_same_settings_become_one():
    changes = Changes()
    changes.put({"guidance_scale": 1.1})
    changes.put({"guidance_scale": 1.2})
    changes.put({"guidance_scale": None})
    changes.put({"prompt": "ink"})
    changes.put({"guidance_scale": 1.3})
    assert [changes.get() for _ in range(3)] == [{"guidance_scale": 1.2}, {"prompt": "ink"}, {"guidance_scale": 1.3}]


def test_l10_none_that_sets_a_setting_is_not_lost_when_changes_become_one():
    changes = Changes()
    changes.put({"similar_image_filter_threshold": 0.9})
    changes.put({"similar_image_filter_threshold": None})
    assert changes.get() == {"similar_image_filter_threshold": None}
    changes.put({"controlnets": [{"model_id": "a", "conditioning_scale": 0.5}]})
    changes.put({"controlnets": [{"model_id": None, "conditioning_scale": None}]})
    assert changes.get() == {"controlnets": [{"model_id": None, "conditioning_scale": 0.5}]}


def test_merged_partial_changes_lose_nothing():
    changes = Changes()
    changes.put({"lora_dict": {"a": 0.1}})
    changes.put({"lora_dict": {"b": 0.2}})
    changes.put({"lora_dict": {"a": 0.3}})
    assert changes.get() == {"lora_dict": {"a": 0.3, "b": 0.2}}
    changes.put({"controlnets": [{"conditioning_scale": 0.5, "enabled": True}]})
    changes.put({"controlnets": [None, {"conditioning_scale": 0.7}]})
    changes.put({"controlnets": [{"enabled": False}]})
    assert changes.get() == {
        "controlnets": [{"conditioning_scale": 0.5, "enabled": False}, {"conditioning_scale": 0.7}]
    }
    whole = object()  # stands for a list of whole ControlNets, which a partial change must not be merged into
    changes.put({"controlnets": [whole]})
    changes.put({"controlnets": [{"enabled": False}]})
    assert [changes.get(), changes.get()] == [{"controlnets": [whole]}, {"controlnets": [{"enabled": False}]}]


def test_waiting_changes_are_bounded_and_closing_ends_the_wait():
    changes = Changes()
    for n in range(LIMIT):
        changes.put({f"setting{n}": 1})
    with pytest.raises(OverflowError, match=str(LIMIT)):
        changes.put({"one": "more"})
    changes.close()
    with pytest.raises(MailboxClosed):
        changes.put({"too": "late"})
    with pytest.raises(MailboxClosed):
        changes.get()
    waiting = Changes()
    result = in_thread(waiting.get)
    waiting.close()
    assert result() is MailboxClosed
