"""Three brokers that require certificates of clients and of each other; TLS controllers."""

import ssl
from pathlib import Path

import pytest

from arena import topics
from arena.broker_files import broker_files_of
from arena.broker_state import read_cluster
from arena.bus.kafka import KafkaBus
from arena.credentials import ADMIN
from arena.errors import BrokerUnavailable
from operations.localbroker.broker_lookup import is_answering
from operations.localbroker.cluster import LocalCluster
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.security import Tls
from operations.localbroker.status import read_status
from tests.security.certificates import Authority
from tests.security.secure import Secure
from tests.security.test_tls import keystore_of, with_certificate


@pytest.mark.timeout(240)
async def test_three_brokers_demand_certificates(tmp_path: Path) -> None:
    """A client with a certificate of their authority connects, also after a broker was killed.

    A client without a certificate, or with another authority's, does not. One broker requires
    certificates by the same setting, so this test covers one broker, too.
    """
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "somebody")
    tls = Tls(keystore_of(authority), authority.path, client_auth=True)
    secret = tmp_path / "password"
    secret.write_text("of the key\n")
    known = *authority.issue("client", password="of the key"), secret
    unknown = *stranger.issue("other", password="of the key"), secret
    home = tmp_path / "home"
    with open_home_broker(home, nodes=3, secure=True, port=0, tls=tls) as cluster:
        assert isinstance(cluster, LocalCluster)
        found = Secure(home, cluster.start().bootstrap)
        admin = found.settings(ADMIN)
        assert "running" == read_status(home).condition
        state = read_cluster(broker_files_of(home).cluster)
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
        assert is_answering(found.bootstrap.split(",")[0], "SASL_SSL")
        for refused in (admin, with_certificate(admin, *unknown)):
            with pytest.raises(BrokerUnavailable, match="did not answer"):
                await KafkaBus(refused).start()
        for number in (1, 3):  # An orderly stop takes 6 s, and other tests have it.
            cluster.kill_node(number)

    assert 1 == acked.offset
