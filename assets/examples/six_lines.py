import kernelscope                                           # pip install . in the repository
kernelscope.export(model, probes, "watched")                 # once, before the training
watch = kernelscope.Watch("watched", probes, labels, tasks)  # 20 to 200 inputs, their classes and tasks
for step in range(steps):                                    # your loop: after the loss, before the update
    if watch.due(step, task):
        watch.save(step, model.state_dict(), loss=loss, task=task)
