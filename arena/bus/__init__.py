"""The bus: append to topics, read them as a log or as a group. See `arena.bus.base`."""

from arena.bus.base import AppendAck, Bus, GroupReader, LogReader, Record, Start

__all__ = ["AppendAck", "Bus", "GroupReader", "LogReader", "Record", "Start"]
