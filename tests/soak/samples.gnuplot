# SPDX-License-Identifier: MIT
#
# Draws the samples of a soak. usage: gnuplot -c samples.gnuplot SAMPLES.csv DRAWING.svg

samples = ARG1
set terminal svg size 1000,900 dynamic background rgb 'white' font 'sans-serif,12'
set output ARG2
set datafile separator ','
set key outside right top
set grid
set style data lines
set yrange [0:*]
set xlabel 'seconds'

set multiplot layout 3,1 title 'The chat server under hostile clients' noenhanced

set ylabel 'MiB'
plot samples using 'age_s':(column('resident_bytes') / 1048576) title 'resident', \
     samples using 'age_s':(column('slab_bytes') / 1048576) title 'slabs'

set ylabel 'alive'
plot samples using 'age_s':'sessions' title 'sessions', \
     samples using 'age_s':'descriptors' title 'descriptors', \
     samples using 'age_s':'operations' title 'operations', \
     samples using 'age_s':(column('live_frames') / 10) title 'frames / 10'

set ylabel 'connections'
plot samples using 'age_s':'connections' title 'ended so far'

unset multiplot
