"""What others cost for fleets of the same sizes: octoDNS, Ansible's uri module, a shell loop.

    python -m benchmarks.peers [--only SIZE ...]

All read from the benchmark's server, which takes 20 ms for a request. octoDNS and Ansible are installed into
an environment of their own. A peer that took more than a minute for one size is not run for the next.

octoDNS        `octodns-sync` without --doit: a zone of 10 A records in a YAML file for each instance, against
               a provider (zones.py) that makes one request a zone, where we make three; 32 workers
Ansible        a playbook with one `uri` task that loops over our three requests for each instance, one by one
curl and jq    the same three requests one by one; the bots are sorted by jq and compared with a file
"""
