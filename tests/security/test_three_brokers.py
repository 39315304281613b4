"""Three brokers that demand certificates, of clients and each other; controllers with TLS."""

import ssl
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.errors import BrokerUnavailable
from arena.localbroker.cluster import LocalCluster
from arena.localbroker.cluster_state import read_cluster
from arena.localbroker.config import files_of
from arena.localbroker.local import open_local
from arena.localbroker.security import ADMIN, Tls
from arena.localbroker.status import look
from tests.security.certificates import Authority
from tests.security.secure import Secure
from tests.security.test_tls import keystore_of, with_certificate


@pytest.mark.timeout(240)
async def test_three_brokers_demand_certificates(tmp_path: Path) -> None:
    """A record with copies on all three is read after one is killed; strangers get nowhere."""
    authority = Authority(tmp_path)
    tls = Tls(keystore_of(authority), authority.path, client_auth=True)
    secret = tmp_path / "password"
    secret.write_text("of the key\n")
    known = *authority.issue("client", password="of the key"), secret
    home = tmp_path / "home"
    with open_local(home, nodes=3, secure=True, port=0, tls=tls) as cluster:
        assert isinstance(cluster, LocalCluster)
        found = Secure(home, cluster.start().bootstrap)
        admin = found.settings(ADMIN)
        assert "running" == look(home).condition
        state = read_cluster(files_of(home).cluster)
        assert state is not None
        for ports in state.ports:  # the controllers speak TLS with a certificate of the authority
            pem = ssl.get_server_certificate(("127.0.0.1", ports.controller), ca_certs=None)
            assert "BEGIN CERTIFICATE" in pem
        bus = KafkaBus(with_certificate(admin, *known))
        await bus.start()
        try:
            await bus.ensure_topics([topics.EVENTS])
            name = topics.EVENTS.name
            await (await bus.send_bytes(name, b"{}", key=None, partition=0, headers=()))
            cluster.kill_node(2)
            acked = await (await bus.send_bytes(name, b"{}", key=None, partition=0, headers=()))
        finally:
            await bus.close()
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            await KafkaBus(admin).start()

    assert 1 == acked.offset
