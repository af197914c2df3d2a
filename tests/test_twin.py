"""Twins share weights and nothing else, however their layers refer to each other."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from inkstream.stream.base.twin import twin


def plain():
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Sequential(nn.Linear(2, 2)))


def twice():
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.ReLU(), layer)


def with_a_list():
    network = plain()
    network.places = [(network[2][0], "ink", 0)]
    return network


def with_a_method():
    network = plain()
    network.first = network[0].forward
    return network


def with_its_forward_wrapped():
    network = plain()
    network[0].forward = partial(nn.Linear.forward, network[0])
    return network


@pytest.mark.parametrize("make", [plain, twice, with_a_list, with_a_method, with_its_forward_wrapped])
def test_a_twin_shares_its_weights_and_no_layer(make):
    network = make().eval()
    other, value = twin(network), torch.ones(1, 2)
    assert list(map(id, other.parameters())) == list(map(id, network.parameters()))
    assert list(map(id, other.buffers())) == list(map(id, network.buffers()))
    assert not {*map(id, network.modules())} & {*map(id, other.modules())}
    assert torch.equal(other(value), network(value))
    before = network(value)
    other[0] = nn.Identity()
    assert torch.equal(network(value), before)


def test_what_refers_to_a_layer_of_a_twin_means_the_twins():
    listed, bound, wrapped = twin(with_a_list()), twin(with_a_method()), twin(with_its_forward_wrapped())
    assert listed.places[0][0] is listed[2][0]
    assert bound.first.__self__ is bound[0]
    assert wrapped[0].forward.args == (wrapped[0],)


def test_settings_and_hooks_of_a_twin_are_its_own():
    network = plain()
    other = twin(network)
    other.settings = {}
    other.register_forward_hook(lambda *_: None)
    other[0].extra = 1
    assert not network._forward_hooks and not hasattr(network, "settings") and not hasattr(network[0], "extra")
    again = twin(other)
    again.settings["a"] = 1
    assert other.settings == {} and copy.deepcopy(again).settings == {"a": 1}
