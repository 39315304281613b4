"""Dated context: files to `market.context`, and from there into snapshots.

topic             reads the topic, and knows what was published
publisher         publishes the lines of files; refuses bad ones as dead letters
snapshot_context  the context of the next snapshot, and the files of `--context`
service           `arena connector context`: files once, or a watched folder
"""
