#!/bin/sh
# Times the lecture's network on two processes of one thread each, in two network namespaces that are joined by a cable
# with a limited rate, with and without overlap of communication and computation. Needs root, Open MPI and iproute2.
#
#   cargo build --release --features mpi
#   docs/results/scaling/two-machines.sh 1gbit 256 target/release/descent datasets/cifar-10-batches-bin
#
# prints lines of overlap.csv. Whether gradients travel during backward follows from the names of the hosts: overlap if
# they differ. Each pair is run four times.
set -eu
rate=$1 batch=$2 descent=$(realpath "$3") data=$(realpath "$4")
folder=$(mktemp -d)
first=a$$ second=b$$
trap 'for n in $first $second; do ip netns pids $n | xargs -r kill -9; ip netns del $n; done; rm -r "$folder"' EXIT
ip netns add $first
ip netns add $second
ip -n $first link add $first type veth peer name $second netns $second
ip -n $first addr add 10.77.0.1/24 dev $first
ip -n $second addr add 10.77.0.2/24 dev $second
for n in $first $second; do
    ip -n $n link set $n up
    ip -n $n link set lo up
    tc -n $n qdisc add dev $n root tbf rate "$rate" burst 256kb latency 50ms
done
limit=$((50 * batch))
for round in 1 2 3 4; do
    for overlap in yes no; do
        host=$(hostname)
        if [ $overlap = yes ]; then host=other; fi
        printf '#!/bin/sh\nshift\nexec ip netns exec %s unshare --uts sh -c "hostname %s; $*"\n' $second "$host" \
            > "$folder/agent"
        chmod +x "$folder/agent"
        ip netns exec $first mpirun --allow-run-as-root --bind-to none --mca btl tcp,self \
            --mca plm_rsh_agent "$folder/agent" --host 10.77.0.1:1,10.77.0.2:1 -n 2 \
            "$descent" train --data "$data" --limit $limit --batch-size "$batch" --epochs 1 --val 0 --threads 1 --quiet \
            --out "$folder/run-$round-$overlap" > "$folder/said" 2>&1 || { cat "$folder/said" >&2; exit 1; }
        seconds=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seconds") c = i } NR == 2 { print $c / 50 }' \
            "$folder/run-$round-$overlap/history.csv")
        echo "$rate,$batch,$round,$overlap,$seconds"
    done
done
